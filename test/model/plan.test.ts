/**
 * Room: tests of model. The plan of a run: the same for everybody, without overlaps, and checked for size before anything
 * is allocated.
 */
import test from 'ava';
import { parseModelConfig } from '../../src/config/parse.ts';
import { layers } from '../../src/layers/factories.ts';
import { Arena } from '../../src/memory/arena.ts';
import { MemoryPlan } from '../../src/memory/plan.ts';
import { type PlanSpec, planRun, type RunPlan } from '../../src/model/plan.ts';
import { bookModel } from './book.ts';

const book: PlanSpec = {
  model: bookModel().config,
  inputShape: [28, 28],
  loss: 'sparseCategoricalCrossentropy',
  shards: 5,
  ranks: 3,
  batchRows: 64,
  optimizerSlots: 2,
  train: { length: 100, inputShape: [28, 28], inputType: 'uint8', scale: 255, targetSize: 0 },
  validation: { length: 50, inputShape: [28, 28], inputType: 'uint8', scale: 255, targetSize: 0 },
};

const odd: PlanSpec = {
  model: parseModelConfig({
    layers: [
      layers.batchNormalization({ axis: 1 }),
      layers.dense({ units: 6, activation: 'gelu' }),
      layers.dropout({ rate: 0.3 }),
      layers.flatten(),
      layers.dense({ units: 5, activation: 'softmax', useBias: false }),
      layers.dense({ units: 3 }),
      layers.dense({ units: 2 }),
    ],
  }),
  inputShape: [4, 3],
  loss: 'meanSquaredError',
  shards: 7,
  ranks: 9,
  batchRows: 10,
  optimizerSlots: 1,
  train: { length: 10, inputShape: [4, 3], inputType: 'float32', scale: 1, targetSize: 2 },
  inputGradient: true,
};

/** Every number in a plan that is an address, by its place, and all sizes beside them. */
const addresses = (plan: RunPlan): string => JSON.stringify({ ...plan, memory: plan.memory.bytes });

test('the same spec gives the same plan, also after it crossed a thread', (t) => {
  for (const spec of [book, odd]) {
    t.is(addresses(planRun(structuredClone(spec))), addresses(planRun(spec)));
    t.is(addresses(planRun(JSON.parse(JSON.stringify(spec)) as PlanSpec)), addresses(planRun(spec)));
  }
});

/** The regions that a plan hands out, in the order of its reservations. Serial: it looks over the memory plan's shoulder. */
function reservationsOf(spec: PlanSpec): {
  readonly plan: RunPlan;
  readonly regions: readonly { readonly start: number; readonly bytes: number; readonly kind: string }[];
} {
  const regions: { start: number; bytes: number; kind: string }[] = [];
  const { reserve } = MemoryPlan.prototype;
  MemoryPlan.prototype.reserve = function (this: MemoryPlan, kind, bytes) {
    const start = reserve.call(this, kind, bytes);
    regions.push({ start, bytes, kind });
    return start;
  };
  try {
    return { plan: planRun(spec), regions };
  } finally {
    MemoryPlan.prototype.reserve = reserve;
  }
}

test.serial('no two tensors overlap, and all are inside the arena', (t) => {
  for (const spec of [book, odd, { ...odd, traceSteps: 3 }]) {
    const { plan, regions } = reservationsOf(spec);
    t.true(regions.length > 50);
    const sorted = regions.toSorted((a, b) => a.start - b.start);
    for (const [i, { start, bytes }] of sorted.entries()) t.true(start + bytes <= (sorted[i + 1]?.start ?? plan.memory.bytes), `${start} of ${bytes} bytes`);
  }
});

test.serial('every tensor is as large as what is written to it', (t) => {
  const { plan, regions } = reservationsOf(odd);
  const room = (address: number): number => {
    const region = regions.find(({ start, bytes }) => start <= address && address < start + bytes);
    return region ? region.start + region.bytes - address : 0;
  };
  for (const [i, { size, name }] of plan.topology.weights.entries()) t.true(room(plan.weights[i]!) >= 4 * size, name);
  for (const { offset, size } of plan.tensors) {
    for (const vector of [plan.parameters, ...plan.optimizerSlots, ...plan.gradients.vectors]) t.true(room(vector + offset) >= 4 * size);
  }
  for (const { input, output, outputGradient, outputSize, capacity, operations, labels, indices } of plan.ranks) {
    t.true(room(input) >= 4 * 12 * capacity && room(output) >= 4 * outputSize * capacity && room(outputGradient) >= 4 * outputSize * capacity);
    t.true(room(indices) >= 4 * capacity && room(labels) >= 4 * 2 * capacity);
    for (const { operation, size, inputSize, dy, dx } of operations) {
      t.true(room(operation.output) >= 4 * size * capacity && room(dy) >= 4 * size * capacity && room(dx) >= 4 * inputSize * capacity);
    }
  }
  t.true(room(plan.train!.inputs) >= 10 * 12 * 4 && room(plan.train!.labels) >= 10 * 2 * 4);
  t.true(room(plan.squareSums) >= 8 * plan.blocks.count && room(plan.findings) >= 4 * 9);
});

test.serial('ranks have room for what they record when that is asked for, at the end of what lasts, and nothing else moves', (t) => {
  const plain = planRun(odd);
  t.deepEqual(plain.recordings, []);
  t.deepEqual(planRun({ ...odd, traceSteps: 0 }).memory.bytes, plain.memory.bytes);
  const { plan, regions } = reservationsOf({ ...odd, traceSteps: 3 });
  t.is(plan.recordings.length, odd.ranks);
  t.is(plan.recordings[0]!.address, plain.lasting);
  for (const { address, steps, entries } of plan.recordings) {
    t.is(steps, 3);
    t.true(regions.find(({ start }) => start === address)!.bytes >= 8 * (4 + 4 * entries));
    t.true(address < plan.lasting);
  }
  t.is(plan.lasting - plain.lasting, plan.memory.bytes - plain.memory.bytes);
  t.deepEqual([plan.state, plan.train, plan.validation], [plain.state, plain.train, plain.validation]);
});

test('tensors of a parameter vector are aligned, in order and apart', (t) => {
  const { tensors } = planRun(book);
  let end = 0;
  for (const { offset, size } of tensors) {
    t.is(offset % 64, 0);
    t.true(offset >= end);
    end = offset + 4 * size;
  }
});

test('what is shared has one address for all ranks, and what is private another for each', (t) => {
  const { ranks } = planRun(book);
  const each = <T>(value: (rank: RunPlan['ranks'][number]) => T): number => new Set(ranks.map(value)).size;
  t.is(
    each((rank) => rank.lossSums.blocks),
    1,
  );
  for (const own of ['input', 'output', 'outputGradient', 'scratch', 'times', 'progress', 'orderKeys', 'indices', 'labels'] as const)
    t.is(
      each((rank) => rank[own]),
      3,
      own,
    );
  t.is(
    each((rank) => rank.lossSums.result),
    3,
  );
});

test('a rank has room for its rows of the largest batch, and the ranks for all of them', (t) => {
  for (const spec of [book, odd]) {
    const { ranks } = planRun(spec);
    t.is(
      ranks.reduce((rows, { capacity }) => rows + capacity, 0),
      spec.batchRows,
    );
  }
});

test('images stay bytes in the arena', (t) => {
  const bytes = (inputType: 'uint8' | 'float32'): number => planRun({ ...book, validation: { ...book.validation!, inputType } }).memory.bytesByKind.get('data')!;
  // Three bytes fewer each, to within a line of padding.
  t.true(Math.abs(bytes('float32') - bytes('uint8') - 3 * 50 * 784) < 64);
});

test('a plan for predictions has no gradients and no optimizer', (t) => {
  const { memory } = planRun({ model: book.model, inputShape: [28, 28], shards: 1, ranks: 1, batchRows: 8, optimizerSlots: 0 });
  t.is(memory.bytesByKind.get('optimizer'), 0);
  // Only the line that every reservation has at least.
  t.true(memory.bytesByKind.get('gradients')! <= 8 * 76 + 64);
});

test('layers below the first trained one take no part in backward', (t) => {
  const model = parseModelConfig({
    layers: [layers.dropout({ rate: 0.5 }), layers.activation({ activation: 'relu' }), layers.dense({ units: 2 }), layers.dense({ units: 2 })],
  });
  const spec: PlanSpec = { model, inputShape: [3], loss: 'meanSquaredError', shards: 1, ranks: 1, batchRows: 2, optimizerSlots: 0, train: odd.train! };
  const { operations, firstBackward } = planRun(spec).ranks[0]!;
  t.is(firstBackward, 2);
  t.is(operations[2]!.dx, 0);
  t.not(operations[3]!.dx, 0);
  t.is(planRun({ ...spec, inputGradient: true }).ranks[0]!.firstBackward, 0);
});

test('a model that does not fit 4 GiB is refused with what is largest and what would shrink it, before anything is allocated', (t) => {
  const spec = (units: number, batchRows: number): PlanSpec => ({
    ...book,
    model: parseModelConfig({ layers: [layers.flatten(), layers.dense({ units })] }),
    loss: 'meanSquaredError',
    batchRows,
    ranks: 1,
    shards: 1,
  });
  const wide = t.throws(() => planRun(spec(1_000_000, 1)), { code: 'LOCKSTEP_MEMORY' });
  t.regex(
    wide?.message ?? '',
    /^Expected the run to fit the 4 GiB of a host's arena, got \d+\.\d\d GiB of which \d+\.\d\d GiB are optimizer; use sgd without momentum or fewer units\.$/,
  );
  const long = t.throws(() => planRun(spec(10_000, 100_000)), { code: 'LOCKSTEP_MEMORY' });
  t.regex(long?.message ?? '', /GiB are activations; use a smaller batchSize, with gradientAccumulationSteps for the same steps, or fewer units\.$/);
  t.notThrows(() => planRun(spec(1000, 64)));
});

test("an arena of a plan's bytes holds its last reservation", (t) => {
  const { memory } = planRun(odd);
  t.true(Arena.create(memory.bytes).u8.length >= memory.bytes);
});
