import test from 'ava';
import { checkLabels, checkSource, type DataSource, memorySource } from '../../src/data/source.ts';
import { refusal } from './folder.ts';

const source = memorySource({
  name: 'the rows',
  inputShape: [2],
  scale: 1,
  labels: { kind: 'class', values: Int32Array.of(0, 3, 11) },
  values: Float32Array.of(1, 2, 3, 4, 5, 6),
});

test('labels inside the range of classes pass', (t) => {
  t.notThrows(() => checkLabels(source, 12));
});

test('the first label out of range is named with its row, the range and the mend', (t) => {
  t.is(
    refusal('LOCKSTEP_DATA', () => checkLabels(source, 10)),
    'Expected the labels of the rows to be from 0 to 9, got `11` in row 2; mend the labels or give the last layer at least 12 units.',
  );
});

test('a label below 0 is out of range', (t) => {
  const negative = { ...source, labels: { kind: 'class', values: Int32Array.of(0, -1) } } as const;
  t.is(
    refusal('LOCKSTEP_DATA', () => checkLabels(negative, 10)),
    'Expected the labels of the rows to be from 0 to 9, got `-1` in row 1; classes count from 0.',
  );
});

test('target values are refused where classes are needed', (t) => {
  const targets = { ...source, labels: { kind: 'target', values: new Float32Array(3), shape: [1] } } as const;
  t.is(
    refusal('LOCKSTEP_DATA', () => checkLabels(targets, 10)),
    'Expected the labels of the rows to be class integers, got target values; use a loss for targets, such as meanSquaredError.',
  );
});

test('reading into the wrong type, too little room or from a wrong row is a defect', (t) => {
  t.is(
    refusal('LOCKSTEP_INTERNAL', () => source.readAll(new Uint8Array(6))),
    'Expected room for 6 float32 numbers of the rows, got 6 uint8 numbers.',
  );
  t.is(
    refusal('LOCKSTEP_INTERNAL', () => source.readAll(new Float32Array(5))),
    'Expected room for 6 float32 numbers of the rows, got 5 float32 numbers.',
  );
  t.is(
    refusal('LOCKSTEP_INTERNAL', () => source.readRows(Int32Array.of(3), new Float32Array(2))),
    'Expected a row of the rows from 0 to 2, got 3.',
  );
});

test('rows can be read into shared memory', (t) => {
  const shared = new Float32Array(new SharedArrayBuffer(16));
  source.readRows(Int32Array.of(2, 2), shared);
  t.deepEqual([...shared], [5, 6, 5, 6]);
});

test('a source of our own passes its check as it is', (t) => {
  t.is(checkSource(source, 'data'), source);
});

test("a user's own source is refused where it does not keep to its type", (t) => {
  const usage = (changes: object): string => refusal('LOCKSTEP_USAGE', () => checkSource({ ...source, ...changes } as DataSource, 'data.train'));
  const data = (labels: object): string => refusal('LOCKSTEP_DATA', () => checkSource({ ...source, labels } as DataSource, 'data.train'));
  for (const length of [0, -1, 1.5, Number.NaN, '3', undefined]) t.regex(usage({ length }), /^Expected `data\.train\.length` to be an integer >= 1, got /);
  for (const inputShape of [[], [0], [1.5], 4, undefined]) t.regex(usage({ inputShape }), /^Expected `data\.train\.inputShape` to be a list of integers >= 1, got /);
  t.is(usage({ inputType: 'float64' }), 'Expected `data.train.inputType` to be one of uint8, float32, got `"float64"`; did you mean `float32`?');
  for (const scale of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e39, 1e-46, '1', undefined]) {
    t.regex(usage({ scale }), /^Expected `data\.train\.scale` to be a finite number > 0 in float32, got /);
  }
  t.is(usage({ name: 5 }), 'Expected `data.train.name` to be a text, got `5`.');
  t.is(usage({ readAll: undefined }), 'Expected `data.train.readAll` to be a function, got nothing.');
  t.is(usage({ labels: undefined }), 'Expected `data.train.labels.kind` to be one of class, target, got nothing.');
  t.is(usage({ labels: { kind: 'target', values: new Float32Array(3) } }), 'Expected `data.train.labels.shape` to be a list of integers >= 1, got nothing.');
  t.is(
    data({ kind: 'class', values: Int32Array.of(0, 1) }),
    'Expected `data.train.labels.values` to be an Int32Array of 3 numbers for 3 rows, got 2; give every row its label.',
  );
  t.is(
    data({ kind: 'class', values: [0, 1, 2] }),
    'Expected `data.train.labels.values` to be an Int32Array of 3 numbers for 3 rows, got `[0,1,2]`; give every row its label.',
  );
  t.is(
    data({ kind: 'target', shape: [2], values: new Float32Array(3) }),
    'Expected `data.train.labels.values` to be a Float32Array of 6 numbers for 3 rows, got 3; give every row its label.',
  );
});

test('weights of rows are as many as rows, finite and >= 0', (t) => {
  t.notThrows(() => checkSource({ ...source, weights: Float32Array.of(0, 1, 2.5) }, 'data.train'));
  const refused = (weights: unknown): string => refusal('LOCKSTEP_DATA', () => checkSource({ ...source, weights } as DataSource, 'data.train'));
  t.is(refused(Float32Array.of(1, -1, 0)), 'Expected `data.train.weights` to be finite numbers >= 0, got `-1` in row 1; give a row that shall not count the weight 0.');
  t.is(
    refused(Float32Array.of(1, 1, Number.NaN)),
    'Expected `data.train.weights` to be finite numbers >= 0, got `NaN` in row 2; give a row that shall not count the weight 0.',
  );
  t.is(refused(new Float32Array(3)), 'Expected `data.train.weights` to be weights of which one is > 0, got only 0; leave them out.');
  for (const weights of [[1, 1, 1], new Float32Array(2), 1])
    t.regex(refused(weights), /^Expected `data.train.weights` to be a Float32Array of 3 numbers for 3 rows, got /);
});
