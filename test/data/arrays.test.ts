import test from 'ava';
import { type ArrayData, arraySource } from '../../src/data/arrays.ts';
import { refusal } from './folder.ts';

const dataRefusal = (data: ArrayData) => refusal('LOCKSTEP_DATA', () => arraySource(data));

test('nested arrays become float32 rows of the shape they show', (t) => {
  const source = arraySource({ x: [[[1, 2]], [[3, 4]]], y: [1, 0] });
  t.like(source, { name: 'the arrays', length: 2, inputShape: [1, 2], inputType: 'float32', scale: 1 });
  t.deepEqual(source.labels, { kind: 'class', values: Int32Array.of(1, 0) });
  const all = new Float32Array(4);
  source.readAll(all);
  t.deepEqual([...all], [1, 2, 3, 4]);
});

test('a flat Uint8Array stays bytes', (t) => {
  const source = arraySource({ x: Uint8Array.of(1, 2, 3, 4), y: Uint8Array.of(0, 1), inputShape: [2], scale: 255 });
  t.like(source, { length: 2, inputType: 'uint8', scale: 255 });
  const row = new Uint8Array(2);
  source.readRows(Int32Array.of(1), row);
  t.deepEqual([...row], [3, 4]);
});

test('targets are nested arrays or a Float32Array with its shape', (t) => {
  const x = [[1], [2]];
  const expected = { kind: 'target', shape: [2], values: Float32Array.of(0.5, 1, 1.5, 2) };
  t.deepEqual(
    arraySource({
      x,
      y: [
        [0.5, 1],
        [1.5, 2],
      ],
    }).labels,
    expected as never,
  );
  t.deepEqual(arraySource({ x, y: Float32Array.of(0.5, 1, 1.5, 2), targetShape: [2] }).labels, expected as never);
});

test('ragged rows and numbers that are not finite are refused with their row', (t) => {
  t.is(dataRefusal({ x: [[1, 2], [3]], y: [0, 1] }), 'Expected every row of `x` to have the shape [2] of the first, got another in row 1; make all rows alike.');
  t.is(
    dataRefusal({
      x: [
        [1, 2],
        [3, [4]],
      ],
      y: [0, 1],
    }),
    'Expected `x` to hold finite numbers, got `[4]` in row 1; mend or leave out the row.',
  );
  t.is(dataRefusal({ x: [[1], [Number.NaN]], y: [0, 1] }), 'Expected `x` to hold finite numbers, got `NaN` in row 1; mend or leave out the row.');
  t.is(dataRefusal({ x: [[1], [1e39]], y: [0, 1] }), 'Expected `x` to hold finite numbers, got `1e+39` in row 1; mend or leave out the row.');
  t.is(
    dataRefusal({ x: Float32Array.of(1, 2, 3, Number.POSITIVE_INFINITY), y: [0, 1], inputShape: [2] }),
    'Expected `x` to hold finite numbers, got `Infinity` in row 1; mend or leave out the row.',
  );
  t.is(dataRefusal({ x: [1, 2], y: [0, 1] }), 'Expected `x` to be rows of at least one number each, got `[1,2]`; nest it: [[1, 2], [3, 4]].');
  t.is(dataRefusal({ x: [], y: [] }), 'Expected `x` to be rows of at least one number each, got `[]`; nest it: [[1, 2], [3, 4]].');
});

test('wrong lengths and shapes are refused', (t) => {
  t.is(dataRefusal({ x: [[1], [2]], y: [0] }), 'Expected `y` to have as many rows as `x`, 2, got 1; give each row one label.');
  t.is(dataRefusal({ x: new Uint8Array(4), y: [0] }), 'Expected `inputShape` beside a flat `x`, got nothing; add the shape of one row.');
  t.is(dataRefusal({ x: new Uint8Array(5), y: [0], inputShape: [2, 2] }), 'Expected `x` to hold rows of 2 x 2 = 4 numbers, got 5 numbers; check `inputShape`.');
  t.is(dataRefusal({ x: [[1, 2]], y: [0], inputShape: [3] }), 'Expected `inputShape` to be the shape of the rows of `x`, [2], got [3]; leave it out.');
  t.is(
    dataRefusal({ x: [[1]], y: Float32Array.of(1) }),
    'Expected `targetShape` beside a flat `y`, got nothing; add the shape of one row, or give classes as an Int32Array.',
  );
});

test('labels that are no classes are refused with their row', (t) => {
  t.is(
    dataRefusal({ x: [[1], [2]], y: [0, 0.5] }),
    'Expected a flat `y` to hold class integers >= 0, got `0.5` in row 1; for target values give nested arrays: [[0.5], [1]].',
  );
  t.regex(dataRefusal({ x: [[1], [2]], y: Int32Array.of(0, -1) }), /got `-1` in row 1/);
});

test('options that are wrong are refused as usage', (t) => {
  const usage = (data: ArrayData) => refusal('LOCKSTEP_USAGE', () => arraySource(data));
  t.is(usage({ x: [[1]], y: [0], scale: 0 }), 'Expected `scale` to be a finite number > 0 in float32, got `0`.');
  t.is(usage({ x: [[1]], y: [0], scale: 1e39 }), 'Expected `scale` to be a finite number > 0 in float32, got `1e+39`.');
  t.is(usage({ x: [[1]], y: [0], scale: 1e-46 }), 'Expected `scale` to be a finite number > 0 in float32, got `1e-46`.');
  t.is(usage({ x: new Uint8Array(4), y: [0], inputShape: [0] }), 'Expected `inputShape` to be a list of integers >= 1, got `[0]`.');
});

test('a misspelt key is refused with the right one', (t) => {
  t.is(
    refusal('LOCKSTEP_CONFIG', () => arraySource({ x: new Uint8Array(2), y: [0], inputshape: [2] } as never, 'data.train')),
    'Unknown key `data.train.inputshape`; did you mean `inputShape`? (known: x, y, inputShape, targetShape, sampleWeights, scale, name).',
  );
});

test('what cannot be rows or labels is refused with all that can', (t) => {
  t.is(
    dataRefusal({ x: new Float64Array(2), y: [0], inputShape: [2] } as never),
    'Expected `x` to be nested arrays, a Float32Array or a Uint8Array, got `Float64Array of 16 bytes`.',
  );
  t.is(
    dataRefusal({ x: [[1]], y: new Float64Array(1) } as never),
    'Expected `y` to be class integers (an array, an Int32Array or a Uint8Array) or targets (nested arrays or a Float32Array), got `Float64Array of 8 bytes`.',
  );
});
