/**
 * Room: tests of contracts. Every way to reduce over shards, held against one rank that computes all of them: the same losses,
 * norms, clip scales, metrics, validations and weights, bit for bit, and the same state on every host. Ranks of one machine are
 * one way; star and mesh among hosts, with several ranks or no shards each, are the others.
 */
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import type { TrainOptions } from '../../../src/local/train.ts';
import { trace, within } from '../../toy.ts';
import { type Cluster, Hosts, type Seen } from './hosts.ts';
import { masked, normalized, single, weighed, wide } from './recipes.ts';

const deadlineMs = 30_000;
type Recipe = (options?: Partial<TrainOptions>) => TrainOptions;

const known = new Map<Recipe, Map<number, ReturnType<typeof trace>>>();

/** The run of one rank, which is made once. */
function aloneOf(recipe: Recipe, shards: number): ReturnType<typeof trace> {
  const runs = known.get(recipe) ?? new Map<number, ReturnType<typeof trace>>();
  known.set(recipe, runs);
  const run = runs.get(shards) ?? trace(recipe({ shards }));
  runs.set(shards, run);
  return run;
}

/** The run among hosts has every bit of the run of one rank. */
async function compare(t: ExecutionContext, recipe: Recipe, cluster: Cluster): Promise<Seen> {
  const shards = cluster.bounds.at(-1)!;
  const alone = await aloneOf(recipe, shards);
  let seen: Seen | undefined;
  const openCrew = Hosts.opener(cluster, (what) => {
    seen = what;
  });
  const told = JSON.stringify(cluster);
  const among = await within(deadlineMs, `the end of a run among ${told}`, trace(recipe({ shards, openCrew })));
  t.deepEqual(among, alone, told);
  t.is(new Set(seen!.states).size, 1, `all hosts of ${told} have one state`);
  return seen!;
}

test.serial('ranks of one machine', async (t) => {
  for (const recipe of [normalized, single, weighed, masked]) {
    const alone = await trace(recipe({ shards: 5 }));
    if (recipe === normalized || recipe === single) t.true(alone.steps.some(({ clipScale }) => clipScale < 1));
    t.deepEqual(
      alone.steps.map(({ samples }) => samples),
      [12, 12, 12, 9, 12, 12, 12, 9],
    );
    for (const workers of [2, 6]) t.deepEqual(await trace(recipe({ shards: 5, workers })), alone);
  }
});

const clusters: readonly (readonly [title: string, workers: readonly number[], bounds: readonly number[]])[] = [
  ['two hosts of one rank', [1, 1], [0, 3, 5]],
  ['two hosts of two ranks and one', [2, 1], [0, 2, 5]],
  ['a coordinator that computes nothing, and one host', [1, 2], [0, 0, 5]],
  ['a coordinator that computes everything, and one host', [2, 1], [0, 5, 5]],
  ['three hosts, cut across subtrees', [1, 2, 1], [0, 1, 4, 5]],
  ['three hosts of which the coordinator computes nothing', [1, 1, 1], [0, 0, 3, 5]],
  ['three hosts of which the second computes nothing', [1, 1, 1], [0, 2, 2, 5]],
  ['four hosts, one with more ranks than shards, one without any', [1, 3, 1, 1], [0, 1, 2, 5, 5]],
];

/** Main threads on lines with delays; on sockets, leaders, or leaders and main threads by turns. */
const carriages = [undefined, ['leader'], ['leader', 'main'], ['main', 'leader']] as const satisfies readonly Cluster['carriers'][];

for (const topology of ['star', 'mesh'] as const) {
  for (const [title, workers, bounds] of clusters) {
    test.serial(`${topology}: ${title}`, async (t) => {
      for (const recipe of [normalized, single, masked]) {
        // What masks change is in the blocks, whoever carries them.
        for (const carriers of recipe === masked ? carriages.slice(1, 2) : carriages) {
          const { messages, generations } = await compare(t, recipe, { topology, workers, bounds, ...(carriers && { carriers }) });
          t.is(generations, 1);
          // What main threads receive on sockets is not counted here.
          t.true(messages > 8 * workers.length || carriers?.some((carrier) => carrier === 'main'));
        }
      }
    });
  }
  test.serial(`${topology}: rows that count differently, and many numbers of metrics`, async (t) => {
    for (const carriers of carriages) {
      await compare(t, weighed, { topology, workers: [1, 2, 1], bounds: [0, 1, 4, 5], ...(carriers && { carriers }) });
      await compare(t, weighed, { topology, workers: [1, 1], bounds: [0, 0, 5], ...(carriers && { carriers }) });
    }
  });

  test.serial(`${topology}: gradients of several buckets, in pieces`, async (t) => {
    for (const carriers of carriages) {
      await compare(t, wide, { topology, workers: [1, 2, 1], bounds: [0, 2, 3, 5], ...(carriers && { carriers }) });
      if (topology === 'mesh') await compare(t, wide, { topology, workers: [1, 2], bounds: [0, 1, 5], ...(carriers && { carriers }) });
    }
  });
}

const clusterOf = fc.integer({ min: 1, max: 9 }).chain((shards) =>
  fc.integer({ min: 2, max: 4 }).chain((hosts) =>
    fc.record({
      topology: fc.constantFrom('star', 'mesh'),
      workers: fc.array(fc.integer({ min: 1, max: 2 }), { minLength: hosts, maxLength: hosts }),
      bounds: fc.array(fc.nat(shards), { minLength: hosts - 1, maxLength: hosts - 1 }).map((cuts) => [0, ...cuts.sort((a, b) => a - b), shards]),
      seed: fc.nat(),
      carriers: fc.constantFrom(...carriages),
    }),
  ),
);

test.serial('any hosts, ranks, shards, rows and delays', async (t) => {
  const anyRun = fc.record({ cluster: clusterOf, rows: fc.integer({ min: 1, max: 40 }), batchSize: fc.integer({ min: 9, max: 20 }) });
  await fc.assert(
    fc.asyncProperty(anyRun, async ({ cluster, rows, batchSize }) => {
      const { data } = normalized();
      const { x, y, inputShape } = data.train as { x: Float32Array; y: Int32Array; inputShape: number[] };
      const train = { x: x.subarray(0, 6 * rows), y: y.subarray(0, rows), inputShape };
      await compare(t, (options) => normalized({ data: { ...data, train }, batchSize, ...options }), cluster as Cluster);
    }),
    { numRuns: 15, seed: 20_240_601, endOnFailure: true },
  );
});
