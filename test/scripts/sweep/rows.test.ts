/**
 * Room: tests of scripts. The rows of a sweep: the table, what is the least, and JSON.
 */
import test from 'ava';
import { jsonOf, leastOf, type Row, tableOf } from '../../../scripts/sweep/rows.ts';
import { parseVary, variantsOf } from '../../../scripts/sweep/vary.ts';

const varied = [parseVary('optimizer.globalClipnorm=none,0.1,1,10')];
const [none, tenth, one, ten] = variantsOf(varied) as [Row['variant'], Row['variant'], Row['variant'], Row['variant']];
const epoch = (number: number, loss: number, validation?: number): Pick<Row, 'epoch'> => ({
  epoch: {
    event: 'epoch',
    epoch: number,
    loss,
    metrics: { accuracy: 0.5 },
    ...(validation !== undefined && { validation: { loss: validation, metrics: { accuracy: 0.25 } } }),
  },
});
const done = { end: 'done', steps: 12, skipped: 0, seconds: 1.25, samplesPerSecond: 100, weightsSha256: 'ab' } as const;
const rows: readonly Row[] = [
  { variant: none, end: 'nonFinite', reason: 'at step 3 in phase forward of `dense`', steps: 3, skipped: 2, seconds: 0.04 },
  { variant: tenth, ...done, ...epoch(2, 0.5, 0.75) },
  { variant: one, ...done, ...epoch(1, 0.25, 0.5), end: 'stopped', reason: 'early stopping', skipped: 1 },
  { variant: ten, ...done, epoch: { ...epoch(0, 0.125).epoch!, partial: true }, end: 'interrupted' },
];

test('the table has a line a variant and a dash for what a variant lacks', (t) => {
  t.deepEqual(tableOf(varied, rows).split('\n'), [
    'globalClipnorm  epoch     loss    accuracy  val_loss  val_accuracy  steps  seconds  end',
    'none            -         -       -         -         -             3      0.0      not finite, at step 3 in phase forward of `dense`, 2 steps skipped',
    '0.1             3         0.5000  0.5000    0.7500    0.2500        12     1.3      done',
    '1               2         0.2500  0.5000    0.5000    0.2500        12     1.3      stopped, early stopping, 1 step skipped',
    '10              1 (part)  0.1250  0.5000    -         -             12     1.3      interrupted',
  ]);
});

test('the least loss is that of validation where there is one, among those that ended by themselves', (t) => {
  t.deepEqual(leastOf(rows), { name: 'val_loss', value: 0.5, variant: one });
  const unjudged: Row[] = [
    { variant: none, ...done, ...epoch(0, Number.NaN) },
    { variant: tenth, ...done, ...epoch(0, 0.5, 0.25) },
    { variant: one, ...done, ...epoch(0, 0.75) },
  ];
  t.deepEqual(leastOf(unjudged), { name: 'loss', value: 0.5, variant: tenth });
  t.deepEqual(
    leastOf([
      { variant: none, ...done, ...epoch(0, 1, Number.NaN) },
      { variant: one, ...done, ...epoch(0, 1, 2) },
    ]),
    { name: 'val_loss', value: 2, variant: one },
  );
  t.is(leastOf(rows.slice(0, 2)), undefined);
});

test('JSON has the values by their whole keys, null for an absent key, and the numbers of the epoch', (t) => {
  t.deepEqual(JSON.parse(jsonOf(rows[0]!)), {
    values: { 'optimizer.globalClipnorm': null },
    end: 'nonFinite',
    reason: 'at step 3 in phase forward of `dense`',
    steps: 3,
    skipped: 2,
    seconds: 0.04,
  });
  t.deepEqual(JSON.parse(jsonOf(rows[1]!)), {
    values: { 'optimizer.globalClipnorm': 0.1 },
    ...done,
    epoch: 2,
    loss: 0.5,
    metrics: { accuracy: 0.5 },
    validation: { loss: 0.75, metrics: { accuracy: 0.25 } },
  });
});
