/** Room: tests of data. Both sets of a run: what is cut off, what is learnt, and what it is applied to. */
import test from 'ava';
import fc from 'fast-check';
import { type ArrayData, arraySource } from '../../src/data/arrays.ts';
import { openSets, type Preparation } from '../../src/data/sets.ts';
import type { DataSource } from '../../src/data/source.ts';
import { rejection } from './folder.ts';

const sets = (train: ArrayData, preparation: Partial<Preparation> = {}, validation?: ArrayData) =>
  openSets({ train, validation }, { seed: 0, ...preparation }, (input) => arraySource(input));

function numbersOf(source: DataSource): number[] {
  const size = source.inputShape.reduce((a, b) => a * b, 1);
  const values = source.inputType === 'uint8' ? new Uint8Array(source.length * size) : new Float32Array(source.length * size);
  source.readAll(values);
  return [...values];
}

/** Rows 0, 1, 2... of one number, with classes. */
const counting = (classes: readonly number[], more: Partial<ArrayData> = {}): ArrayData => ({
  x: Float32Array.from(classes.keys()),
  y: Int32Array.from(classes),
  inputShape: [1],
  ...more,
});

test('the last rows are for validation, as Keras counts them', async (t) => {
  const { train, validation } = await sets(counting([0, 1, 2, 3, 4, 5, 6], { sampleWeights: [1, 2, 3, 4, 5, 6, 7] }), { validationSplit: 0.3 });
  t.deepEqual(numbersOf(train), [0, 1, 2, 3]);
  t.deepEqual(numbersOf(validation!), [4, 5, 6]);
  t.deepEqual([...train.labels.values, ...validation!.labels.values], [0, 1, 2, 3, 4, 5, 6]);
  t.deepEqual([...validation!.weights!], [5, 6, 7]);
  const some = new Float32Array(2);
  validation!.readRows(Int32Array.of(2, 0), some);
  t.deepEqual([...some], [6, 4]);
});

test('stratified, every class gives its share, drawn by the seed', async (t) => {
  const classes = Array.from({ length: 100 }, (_, row) => (row < 60 ? 0 : row < 98 ? 1 : 2));
  const split = (seed: number) => sets(counting(classes), { validationSplit: 0.25, stratify: true, seed });
  const { train, validation } = await split(1);
  const count = (source: DataSource, label: number): number => source.labels.values.filter((other) => other === label).length;
  t.deepEqual(
    [0, 1, 2].map((label) => count(validation!, label)),
    [15, 10, 1],
  );
  t.deepEqual(
    [...numbersOf(train), ...numbersOf(validation!)].toSorted((a, b) => a - b),
    [...classes.keys()],
  );
  t.deepEqual(
    numbersOf(validation!),
    numbersOf(validation!).toSorted((a, b) => a - b),
  );
  t.deepEqual(numbersOf((await split(1)).validation!), numbersOf(validation!));
  t.notDeepEqual(numbersOf((await split(2)).validation!), numbersOf(validation!));
});

test('every row is in one part, whatever the fraction', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(3), { minLength: 2, maxLength: 60 }),
      fc.double({ min: 0.01, max: 0.99, noNaN: true }),
      fc.boolean(),
      fc.nat(),
      async (classes, validationSplit, stratify, seed) => {
        const [result] = await Promise.allSettled([sets(counting(classes), { validationSplit, stratify, seed })]);
        if (result.status === 'rejected') {
          t.regex(result.reason.message, /^Expected `validationSplit` to leave rows in both parts/);
          return;
        }
        const { train, validation } = result.value;
        t.deepEqual(
          [...numbersOf(train), ...numbersOf(validation!)].toSorted((a, b) => a - b),
          [...classes.keys()],
        );
        for (const part of [train, validation!])
          t.deepEqual(
            [...part.labels.values],
            numbersOf(part).map((row) => classes[row]),
          );
      },
    ),
    { numRuns: 200 },
  );
});

test('a split that cannot be is refused', async (t) => {
  t.is(
    await rejection('LOCKSTEP_DATA', sets(counting([0]), { validationSplit: 0.5 })),
    'Expected `validationSplit` to leave rows in both parts of the arrays, got 0 for training and 1 for validation; change it or give more rows.',
  );
  const targets = { x: [[1], [2]], y: [[1], [2]] };
  t.is(
    await rejection('LOCKSTEP_DATA', sets(targets, { validationSplit: 0.5, stratify: true })),
    'Expected classes to stratify the arrays by, got target values; leave out `stratify`.',
  );
  t.is(await rejection('LOCKSTEP_CONFIG', sets(targets, { validationSplit: 0.5 }, targets)), 'Expected `validationSplit` or `data.validation`, got both; leave one out.');
});

test('standard: mean 0 and standard deviation 1 by the training rows alone', async (t) => {
  const train = {
    x: [
      [1, 5, 10],
      [2, 5, 30],
      [6, 5, 20],
    ],
    y: [0, 0, 0],
    scale: 2,
    normalize: 'standard',
  } as const;
  const { train: rows, validation } = await sets(train, {}, { x: [[1.5, 3.5, 10]], y: [0] });
  const [a, b] = [Math.sqrt((1 + 0.25 + 2.25) / 3), Math.sqrt(50 / 3)];
  t.deepEqual(numbersOf(rows), [-1 / a, 2.5, -5 / b, -0.5 / a, 2.5, 5 / b, 1.5 / a, 2.5, 0].map(Math.fround));
  t.deepEqual(numbersOf(validation!), [0, 3.5, 0]);
  t.like(rows, { scale: 1, inputType: 'float32' });
  t.deepEqual(rows.normalization, { kind: 'standard', offset: Float64Array.of(1.5, 0, 10), divisor: Float64Array.of(a, 1, b) });
});

test('minMax: from 0 to 1, bytes too, and after the split', async (t) => {
  const train: ArrayData = { x: Uint8Array.of(10, 20, 30, 250), y: Int32Array.of(0, 0, 0, 0), inputShape: [1], scale: 255, normalize: 'minMax' };
  const { train: rows, validation } = await sets(train, { validationSplit: 0.25 });
  t.deepEqual(numbersOf(rows), [0, 0.5, 1]);
  t.deepEqual(numbersOf(validation!), [12]);
});

test('of rows of three dimensions a channel is a feature', async (t) => {
  const x = [
    [[[0, 10]], [[4, 30]]],
    [[[2, 20]], [[2, 20]]],
  ];
  const { train } = await sets({ x, y: [0, 0], normalize: 'minMax' });
  t.deepEqual(numbersOf(train), [0, 0, 1, 1, 0.5, 0.5, 0.5, 0.5]);
  t.is(train.normalization!.offset.length, 2);
});

test('statistics of many rows are those of one loop over all of them', async (t) => {
  const rows = 70_001;
  const x = Float32Array.from({ length: 3 * rows }, (_, i) => 1000 + (((i * 2654435761) % 4294967296) / 4294967296) * ((i % 3) + 1));
  const { train } = await sets({ x, y: new Int32Array(rows), inputShape: [3], normalize: 'standard' });
  const means = [0, 0, 0];
  for (let i = 0; i < x.length; i++) means[i % 3]! += x[i]!;
  for (let c = 0; c < 3; c++) means[c]! /= rows;
  const squares = [0, 0, 0];
  for (let i = 0; i < x.length; i++) squares[i % 3]! += (x[i]! - means[i % 3]!) * (x[i]! - means[i % 3]!);
  t.deepEqual([...train.normalization!.offset], means);
  t.deepEqual(
    [...train.normalization!.divisor],
    squares.map((sum) => Math.sqrt(sum / rows)),
  );
  const one = new Float32Array(3);
  train.readRows(Int32Array.of(70_000), one);
  t.deepEqual(
    [...one],
    [...x.subarray(-3)].map((value, c) => Math.fround((value - means[c]!) / Math.sqrt(squares[c]! / rows))),
  );
});

test('validation data of another shape, or with statistics of their own, are refused', async (t) => {
  const train = {
    x: [
      [1, 2],
      [3, 4],
    ],
    y: [0, 0],
    normalize: 'standard',
  } as const;
  t.regex(
    await rejection('LOCKSTEP_SHAPE', sets(train, {}, { x: [[1]], y: [0] })),
    /^Expected the rows of the arrays to have the 2 features that are normalized, got 1;/,
  );
  t.regex(await rejection('LOCKSTEP_CONFIG', sets(train, {}, train)), /^Expected `normalize` in `data\.train` alone, got it in `data\.validation`;/);
});
