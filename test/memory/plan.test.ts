/**
 * Room: tests of memory. The static memory plan: addresses, kinds, and the message when a run is too large.
 */
import test from 'ava';
import fc from 'fast-check';
import { arenaLimitBytes } from '../../src/memory/arena.ts';
import { alignmentBytes, gibibytes, type MemoryKind, MemoryPlan, memoryKinds } from '../../src/memory/plan.ts';

const reservations = fc.array(fc.record({ kind: fc.constantFrom(...memoryKinds), bytes: fc.integer({ min: 0, max: 10_000 }) }), { maxLength: 50 });

test('address 0 is never handed out, not even for nothing', (t) => {
  const plan = new MemoryPlan();
  t.is(plan.bytes, 64);
  t.is(plan.reserve('control', 0), 64);
  t.is(plan.reserve('control', 1), 128);
  t.is(plan.reserve('data', 65), 192);
  t.is(plan.reserve('data', 64), 320);
  t.is(plan.bytes, 384);
});

test('reservations are aligned, in order and apart, and the plan is as large as their sum', (t) => {
  fc.assert(
    fc.property(reservations, (wanted) => {
      const plan = new MemoryPlan();
      let end = alignmentBytes;
      for (const { kind, bytes } of wanted) {
        const address = plan.reserve(kind, bytes);
        if (address % alignmentBytes !== 0 || address < end) return false;
        end = address + Math.max(1, bytes);
      }
      const kinds = [...plan.bytesByKind.values()].reduce((sum, bytes) => sum + bytes, 0);
      return plan.bytes >= end && plan.bytes === kinds + alignmentBytes;
    }),
  );
  t.pass();
});

test('the same reservations give the same addresses', (t) => {
  fc.assert(
    fc.property(reservations, (wanted) => {
      const addresses = (): string => {
        const plan = new MemoryPlan();
        return wanted.map(({ kind, bytes }) => plan.reserve(kind, bytes)).join();
      };
      const first = addresses();
      return addresses() === first;
    }),
  );
  t.pass();
});

test('bytes are counted by kind, padding included', (t) => {
  const plan = new MemoryPlan();
  plan.reserve('data', 65);
  plan.reserve('data', 1);
  plan.reserve('gradients', 64);
  const expected = memoryKinds.map((kind): [MemoryKind, number] => [kind, kind === 'data' ? 192 : kind === 'gradients' ? 64 : 0]);
  t.deepEqual([...plan.bytesByKind], expected);
});

test('a plan of exactly 4 GiB fits, and one line more does not', (t) => {
  const plan = new MemoryPlan();
  plan.reserve('data', arenaLimitBytes - alignmentBytes);
  t.is(plan.bytes, 2 ** 32);
  t.notThrows(() => plan.checkFits());
  plan.reserve('control', 1);
  t.throws(() => plan.checkFits(), { code: 'LOCKSTEP_MEMORY' });
});

test('a plan that does not fit names its largest kind and what would shrink it', (t) => {
  const message = (kind: MemoryKind): string | undefined => {
    const plan = new MemoryPlan();
    for (const other of memoryKinds) plan.reserve(other, other === kind ? 5 * 2 ** 30 : 2 ** 26);
    return t.throws(() => plan.checkFits(), { code: 'LOCKSTEP_MEMORY' })?.message;
  };
  const sentence = (kind: string, mend: string): string => `Expected the run to fit the 4 GiB of a host's arena, got 5.44 GiB of which 5.00 GiB are ${kind}; ${mend}.`;
  t.is(message('control'), sentence('control', 'use fewer workers'));
  t.is(message('parameters'), sentence('parameters', 'use fewer units'));
  t.is(message('optimizer'), sentence('optimizer', 'use sgd without momentum or fewer units'));
  t.is(message('gradients'), sentence('gradients', 'use fewer shards or fewer units'));
  t.is(message('statistics'), sentence('statistics', 'use fewer shards'));
  t.is(message('activations'), sentence('activations', 'use a smaller batchSize, with gradientAccumulationSteps for the same steps, or fewer units'));
  t.is(message('scratch'), sentence('scratch', 'use fewer workers'));
  t.is(message('data'), sentence('data', 'set `limit` or `streaming: true` on the data'));
});

test('gibibytes are told with two decimals', (t) => {
  t.is(gibibytes(0), '0.00 GiB');
  t.is(gibibytes(1.5 * 2 ** 30), '1.50 GiB');
});
