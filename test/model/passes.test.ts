/**
 * Room: tests of the model's plan. Passes over a rank's shards: together they are one pass, and each needs room for its own rows only.
 */
import test from 'ava';
import fc from 'fast-check';
import { planShards } from '../../src/collectives/shard-plan.ts';
import { parseModelConfig } from '../../src/config/parse.ts';
import { layers } from '../../src/layers/factories.ts';
import { capacityOf, passesOf } from '../../src/model/passes.ts';
import { type PlanSpec, planRun } from '../../src/model/plan.ts';

const runs = fc.record({ shards: fc.integer({ min: 1, max: 40 }), ranks: fc.integer({ min: 1, max: 6 }), passes: fc.integer({ min: 1, max: 50 }) });

test('the passes of a rank compute each of its shards once and add them in the order of one pass', (t) => {
  fc.assert(
    fc.property(runs, ({ shards, ranks, passes }) => {
      for (const own of planShards(shards, ranks).ranks) {
        const groups = passesOf(own, passes);
        t.is(groups.length, Math.max(1, Math.min(passes, own.count)));
        let next = own.first;
        const steps = groups.flatMap((group) => {
          t.is(group.first, next);
          next += group.count;
          return group.steps.map((step) => (step.kind === 'leaf' ? { ...step, shard: step.shard + group.first - own.first } : step));
        });
        t.is(next, own.first + own.count);
        t.deepEqual(steps, [...passesOf(own, 1)[0]!.steps]);
        t.true(groups.every(({ count }) => count > 0 || own.count === 0));
      }
    }),
  );
});

test('no pass of any batch has more rows than there is room for', (t) => {
  fc.assert(
    fc.property(runs, fc.integer({ min: 1, max: 300 }), fc.double({ min: 0, max: 1, noNaN: true }), ({ shards, ranks, passes }, batchRows, share) => {
      for (const own of planShards(shards, ranks).ranks) {
        const room = capacityOf(own, shards, batchRows, passes);
        t.true(capacityOf(own, shards, Math.ceil(share * batchRows), passes) <= room);
        t.true(room <= capacityOf(own, shards, batchRows, 1));
      }
    }),
  );
});

const spec: PlanSpec = {
  model: parseModelConfig({ layers: [layers.dense({ units: 100 }), layers.batchNormalization({ synchronized: false }), layers.dense({ units: 10 })] }),
  inputShape: [50],
  loss: 'sparseCategoricalCrossentropy',
  shards: 8,
  ranks: 1,
  batchRows: 1024,
  optimizerSlots: 0,
  train: { length: 1024, inputShape: [50], inputType: 'float32', scale: 1, targetSize: 0 },
};

test('four passes need a quarter of the room for activations, but where statistics are those of the whole batch', (t) => {
  const bytes = (changes: Partial<PlanSpec>): number => planRun({ ...spec, ...changes }).memory.bytesByKind.get('activations')!;
  const ratio = bytes({}) / bytes({ passes: 4 });
  t.true(ratio > 3.9 && ratio <= 4.01, String(ratio));
  const model = parseModelConfig({ layers: [layers.dense({ units: 100 }), layers.batchNormalization(), layers.dense({ units: 10 })] });
  t.is(bytes({ model }), bytes({ model, passes: 4 }));
  t.is(planRun({ ...spec, model, passes: 4 }).ranks[0]!.passes.length, 1);
});
