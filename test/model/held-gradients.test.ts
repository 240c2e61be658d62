/**
 * Room: tests of the model. What the walk backwards holds for layers whose outputs are added elsewhere: who writes first, what is never held, and how few tensors it takes.
 */
import test from 'ava';
import { layers } from '../../src/layers/factories.ts';
import { planHeldGradients } from '../../src/model/held-gradients.ts';
import { sequential } from '../../src/model/model.ts';
import { planRun, type RunPlan } from '../../src/model/plan.ts';

/** Tensors are numbered from 1 in the order in which they are asked for. */
function plan(operations: readonly (readonly number[])[], { first = 0, toInput = false, sizes = [] as readonly number[] } = {}) {
  const reserved: number[] = [];
  const adding = operations.map((sources, i) => ({ size: sizes[i] ?? 4, sources }));
  return { reserved, ...planHeldGradients(adding, first, 9, toInput, (size) => reserved.push(size)) };
}

test('the last layer that adds an output writes its gradient, those before it are added', (t) => {
  const { held, holds, reserved } = plan([[], [], [0], [0, 0], []]);
  t.deepEqual(held, [1, 0, 0, 0, 0]);
  t.deepEqual(holds, [
    [],
    [],
    [{ source: 0, into: 1, isFirst: false }],
    [
      { source: 0, into: 1, isFirst: true },
      { source: 0, into: 1, isFirst: false },
    ],
    [],
  ]);
  t.deepEqual(reserved, [4]);
});

test('blocks one after the other share a tensor, blocks in blocks do not', (t) => {
  const chain = plan([[], [], [0], [], [2], [], [4]]);
  t.deepEqual(chain.held, [1, 0, 1, 0, 1, 0, 0]);
  t.deepEqual(plan([[], [], [], [1], [0]]).held, [1, 2, 0, 0, 0]);
  // Nor does a larger one fit into a smaller.
  t.deepEqual(plan([[], [], [0], [], [2]], { sizes: [8, 8, 8, 4, 4] }).reserved, [8]);
  t.deepEqual(plan([[], [0], [], [2]], { sizes: [8, 8, 4, 4] }).reserved, [4, 8]);
});

test('what nobody needs is not held: below the first layer that learns, and of the input', (t) => {
  const operations = [[], [-1], [0, 1], [1]];
  const { held, holds, heldInput } = plan(operations, { first: 1 });
  t.deepEqual([held, heldInput], [[0, 1, 0, 0], 0]);
  t.deepEqual(
    holds.map((list) => list.map(({ source }) => source)),
    [[], [], [1], [1]],
  );
  const whole = plan(operations, { toInput: true });
  // Operation 1 hands its own on when what was held for it is free again, but too small for an input of 9 numbers.
  t.deepEqual([whole.held, whole.heldInput, whole.reserved], [[2, 1, 0, 0], 3, [4, 4, 9]]);
});

const spec = { inputShape: [8], loss: 'meanSquaredError', shards: 1, ranks: 1, batchRows: 100, optimizerSlots: 0 } as const;
const blocks = (count: number) =>
  Array.from({ length: count }, (_, i) => [
    layers.dense({ units: 8, activation: 'tanh' }),
    layers.add({ from: i === 0 ? '@input' : `add_${i}`, name: `add_${i + 1}` }),
  ]).flat();

function planned(count: number, inputGradient = false): RunPlan {
  const train = { length: 100, inputShape: [8], inputType: 'float32', scale: 1, targetSize: 8 } as const;
  return planRun({ ...spec, model: sequential(blocks(count)).config, train, inputGradient });
}

test('a deep residual network takes one tensor more than its layers', (t) => {
  const rows = (plan: RunPlan): number => plan.memory.bytes;
  const held = (plan: RunPlan): number[] => plan.ranks[0]!.operations.map(({ held: address }) => address);
  const deep = planned(6);
  t.is(new Set(held(deep).filter((address) => address > 0)).size, 1);
  t.is(held(deep).filter((address) => address > 0).length, 5);
  t.is(deep.ranks[0]!.heldInput, 0);
  t.true(planned(6, true).ranks[0]!.heldInput > 0);
  // Two tensors of rows a block, the kernel, its gradient and small change.
  t.true(rows(planned(7)) - rows(deep) < 2 * 4 * 100 * 8 + 8192);
});
