/**
 * Room: tests of train. What is left of an order after any number of its steps, and that doing the rest in pieces does the whole.
 */
import test from 'ava';
import fc from 'fast-check';
import { remaining } from '../../src/train/remaining.ts';

const order = { epoch: 3, firstBatch: 2, batches: 5, firstStep: 18, updates: 15, skippedInARow: 1, rateScale: 0.1, leastRate: 1e-5 };
const policy = { onNonFinite: 'halt', haltAfterSkipped: 4 } as const;

test('an order of which nothing was done is left as it is', (t) => {
  t.is(remaining(order, { step: 17, updates: 15, skippedInARow: 1 }, policy), order);
});

test('what was done is left out, and the rest counts on from how the run stands', (t) => {
  t.deepEqual(remaining(order, { step: 20, updates: 17, skippedInARow: 0 }, policy), {
    epoch: 3,
    firstBatch: 5,
    batches: 2,
    firstStep: 21,
    updates: 17,
    skippedInARow: 0,
    rateScale: 0.1,
    leastRate: 1e-5,
  });
});

test('nothing is left when all is done, or when the policy ended the run', (t) => {
  t.is(remaining(order, { step: 22, updates: 20, skippedInARow: 0 }, policy), undefined);
  const skipped = { step: 20, updates: 15, skippedInARow: 4 };
  t.is(remaining(order, skipped, policy), undefined);
  t.is(remaining(order, skipped, { ...policy, onNonFinite: 'skip' })!.batches, 2);
});

test('interrupted anywhere, any number of times, every batch is done once', (t) => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 30 }), (pieces) => {
      const done: number[] = [];
      let step = order.firstStep - 1;
      for (const piece of [...pieces, 5]) {
        const rest = remaining(order, { step, updates: step, skippedInARow: 0 }, policy);
        if (!rest) break;
        for (let i = 0; i < Math.min(piece, rest.batches); i++, step++) done.push(rest.firstBatch + i);
      }
      t.deepEqual(done, [2, 3, 4, 5, 6]);
    }),
  );
});
