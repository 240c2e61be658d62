/**
 * Room: tests of model. Gradients among hosts: what each reduces, what leaves when, and where everything lies; and that what lasts
 * lies at the same place whatever a host's part of the run is.
 */
import test from 'ava';
import fc from 'fast-check';
import type { Part } from '../../src/collectives/shard-plan.ts';
import { parseModelConfig } from '../../src/config/parse.ts';
import { layers } from '../../src/layers/factories.ts';
import { type PlanSpec, planRun, type RunPlan } from '../../src/model/plan.ts';
import { bucketWork } from '../../src/train/buckets.ts';
import { bookModel } from './book.ts';

const data = { length: 9, inputShape: [28, 28], inputType: 'uint8', scale: 255, targetSize: 0 } as const;
const book: PlanSpec = {
  model: bookModel().config,
  inputShape: [28, 28],
  loss: 'sparseCategoricalCrossentropy',
  shards: 6,
  ranks: 2,
  batchRows: 12,
  optimizerSlots: 1,
  train: data,
  validation: data,
};
/** One block; and five buckets, of which the last is small. */
const one: PlanSpec = {
  ...book,
  model: parseModelConfig({ layers: [layers.flatten(), layers.dense({ units: 2, useBias: false })] }),
  loss: { type: 'sparseCategoricalCrossentropy', fromLogits: true },
};
const wide: PlanSpec = {
  ...one,
  model: parseModelConfig({
    layers: [
      layers.flatten(),
      layers.dense({ units: 3 }),
      layers.dense({ units: 400_000 }),
      layers.dense({ units: 3 }),
      layers.dense({ units: 700_000 }),
      layers.dense({ units: 2 }),
    ],
  }),
};

const parts: fc.Arbitrary<{ readonly spec: PlanSpec; readonly bounds: readonly number[]; readonly topology: 'star' | 'mesh'; readonly ranks: number }> = fc.record({
  spec: fc.constantFrom(book, one, wide),
  bounds: fc.array(fc.nat(6), { minLength: 1, maxLength: 3 }).map((cuts) => [0, ...cuts.sort((a, b) => a - b), 6]),
  topology: fc.constantFrom('star', 'mesh'),
  ranks: fc.integer({ min: 1, max: 3 }),
});
type Given = typeof parts extends fc.Arbitrary<infer T> ? T : never;

const plansOf = ({ spec, bounds, topology, ranks }: Given): RunPlan[] =>
  bounds.slice(1).map((_, host) => planRun({ ...spec, ranks: 1 + ((ranks + host) % 3), part: { topology, host, bounds } satisfies Part }));

const runs = { numRuns: 40 };

test('every byte of the vector is the share of exactly one host, or of both when they reduce directly; all hosts agree', (t) => {
  fc.assert(
    fc.property(parts, (given) => {
      const plans = plansOf(given);
      const { blocks, shards, gradients } = plans[0]!;
      const vectorBytes = gradients.hosts!.buckets[0]!.to;
      for (const plan of plans) {
        t.deepEqual(plan.gradients.hosts!.shares, gradients.hosts!.shares);
        t.deepEqual(plan.gradients.hosts!.buckets, gradients.hosts!.buckets);
      }
      const { direct, owners } = shards.hosts!;
      let [block, byte] = [0, 0];
      for (const [host, { first, end, from, to }] of gradients.hosts!.shares.entries()) {
        if (!owners.includes(host)) {
          t.is(first, end);
          t.is(from, to);
        } else if (direct) {
          t.deepEqual([first, end, from, to], [0, blocks.count, 0, vectorBytes]);
        } else {
          t.deepEqual([first, from], [block, byte]);
          [block, byte] = [end, to];
        }
      }
      if (!direct) t.deepEqual([block, byte], [blocks.count, vectorBytes]);
    }),
    runs,
  );
});

test('buckets cover all blocks once, from the last to the first, and end where a layer begins', (t) => {
  for (const spec of [book, one, wide]) {
    const { gradients, blocks, tensors } = planRun({ ...spec, part: { topology: 'mesh', host: 0, bounds: [0, 3, 6] } });
    const { buckets } = gradients.hosts!;
    let [block, byte] = [blocks.count, tensors.at(-1)!.offset + Math.ceil((4 * tensors.at(-1)!.size) / 64) * 64];
    for (const [i, { first, end, from, to, layer }] of buckets.entries()) {
      t.deepEqual([end, to], [block, byte]);
      t.is(tensors[blocks.tensor[first]!]!.layer, layer);
      t.true(first === 0 || tensors[blocks.tensor[first - 1]!]!.layer < layer);
      t.true(to - from >= 2 ** 22 || i === buckets.length - 1);
      [block, byte] = [first, from];
    }
    t.deepEqual([block, byte], [0, 0]);
  }
  const counts = [book, one, wide].map((spec) => planRun({ ...spec, part: { topology: 'star', host: 0, bounds: [0, 3, 6] } }).gradients.hosts!.buckets.length);
  t.deepEqual(counts, [1, 1, 5]);
});

test('the ranks of a host share every bucket and every share of it, each block once', (t) => {
  fc.assert(
    fc.property(parts, (given) => {
      for (const plan of plansOf(given)) {
        const { buckets, shares } = plan.gradients.hosts!;
        const own = shares[plan.shards.hosts!.host]!;
        const works = plan.ranks.map((_, rank) => bucketWork(plan, rank));
        for (const [i, bucket] of buckets.entries()) {
          const merged = works.map((work) => work[i]!);
          const reduced = merged.filter(({ reduces }) => reduces);
          const range = [Math.max(own.first, bucket.first), Math.min(own.end, bucket.end)] as const;
          let [merge, reduce] = [bucket.first, range[0]];
          for (const work of merged) {
            t.is(work.bucket, bucket);
            t.is(work.mergeFirst, merge);
            merge = work.mergeEnd;
          }
          t.is(merge, bucket.end);
          t.true(reduced.length === 0 || reduced.length === merged.length);
          t.is(reduced.length > 0, range[0] < range[1]);
          for (const { reduceFirst, reduceEnd } of reduced) {
            t.is(reduceFirst, reduce);
            reduce = reduceEnd;
          }
          if (reduced.length > 0) t.is(reduce, range[1]);
        }
      }
    }),
    runs,
  );
  t.deepEqual(bucketWork(planRun(book), 0), []);
});

test("places of other hosts' gradients, of the own and of the global one do not overlap, and lie behind what lasts", (t) => {
  fc.assert(
    fc.property(parts, (given) => {
      for (const plan of plansOf(given)) {
        const { gradients, squareSums, lasting, memory } = plan;
        const { roots, shares, buckets } = gradients.hosts!;
        const bytes = buckets[0]!.to;
        const own = shares[plan.shards.hosts!.host]!;
        const foreign = roots.filter(({ place }) => place === -1);
        const places: [from: number, to: number][] = [
          ...gradients.vectors.map((vector): [number, number] => [vector, vector + bytes]),
          ...foreign.map(({ vector }): [number, number] => [vector + own.from, vector + own.to]),
          [squareSums, squareSums + 8 * plan.blocks.count],
          [plan.lossBlocks, plan.lossBlocks + 16 * plan.spec.shards],
          [plan.verdict, plan.verdict + plan.verdictBytes],
        ];
        // The global gradient is one of the roots, or a vector of its own.
        if (!roots.some(({ vector }) => vector === gradients.global)) places.push([gradients.global, gradients.global + bytes]);
        places.sort(([a, b], [c, d]) => a - c || b - d);
        t.true(places[0]![0] >= lasting);
        for (const [i, [, to]] of places.entries()) t.true(to <= (places[i + 1]?.[0] ?? memory.bytes));
        for (const root of roots) if (root.place !== -1) t.is(root.vector, gradients.vectors[root.place]!);
      }
    }),
    runs,
  );
});

test('whatever part a host has and however many ranks, what lasts lies at the same addresses', (t) => {
  const lasting = ({ lasting, state, control, reports, standing, weights, parameters, optimizerSlots, train, validation, tensors, blocks }: RunPlan): unknown => ({
    lasting,
    state,
    control,
    reports,
    standing,
    weights,
    parameters,
    optimizerSlots,
    train,
    validation,
    tensors,
    blocks,
  });
  fc.assert(
    fc.property(parts, (given) => {
      const expected = lasting(planRun(given.spec));
      for (const plan of plansOf(given)) t.deepEqual(lasting(plan), expected);
    }),
    runs,
  );
  const { state, lasting: end, train, validation, weights } = planRun(book);
  t.true(weights.every((address) => address >= state.from && address < state.to));
  for (const { inputs, labels } of [train!, validation!]) t.true(inputs >= state.to && labels + 4 * 9 <= end);
});
