/**
 * Room: tests of train. The record of a verdict: what the coordinator's leader comes to is what a rank of every other host reads,
 * number for number, whatever the numbers are.
 */
import test from 'ava';
import fc from 'fast-check';
import { controlIndex } from '../../src/collectives/control.ts';
import { parseOptimizer } from '../../src/config/parse.ts';
import { createReferenceKernels } from '../../src/kernels/reference.ts';
import { Arena } from '../../src/memory/arena.ts';
import { sequential } from '../../src/model/model.ts';
import { planRun, type RunPlan } from '../../src/model/plan.ts';
import { roomOf } from '../../src/optimizers/room.ts';
import { createRank, type Rank } from '../../src/train/rank.ts';
import { reachVerdict } from '../../src/train/verdict.ts';

const model = sequential([
  { type: 'dense', units: 4, inputShape: [3] },
  { type: 'dense', units: 2, activation: 'softmax' },
]).config;
const train = { length: 8, inputShape: [3], inputType: 'float32', scale: 1, targetSize: 0 } as const;

interface Host {
  readonly plan: RunPlan;
  readonly arena: Arena;
  readonly rank: Rank;
  /** What the rank took and announced, in order. */
  readonly said: string[];
}

/** The one rank of host `host` of two in a star. What comes over the network is there at once. */
function hostOf(host: number, clip: object): Host {
  const part = { topology: 'star', host, bounds: [0, 2, 4] } as const;
  const optimizer = parseOptimizer({ type: 'sgd', ...clip });
  const plan = planRun({ model, inputShape: [3], loss: 'sparseCategoricalCrossentropy', shards: 4, ranks: 1, part, batchRows: 8, ...roomOf(optimizer), train });
  const arena = Arena.create(plan.memory.bytes);
  const spec = { optimizer, seed: 1, shuffle: false, batchSize: 8, validationBatchSize: 8, onNonFinite: 'halt', haltAfterSkipped: 3 } as const;
  const rank = createRank(plan, 0, arena, createReferenceKernels(arena), spec, 0);
  const said: string[] = [];
  rank.uplink!.take = (word) => void said.push(`take ${word}`);
  rank.uplink!.announce = (kind) => void said.push(`announce ${kind}`);
  return { plan, arena, rank, said };
}

const clips = fc.constantFrom({}, { clipnorm: 0.5 }, { globalClipnorm: 0.5 }, { clipvalue: 0.1 }, { clipPercentile: 20, clipHistory: 12 });
const numbers = fc.oneof(fc.double({ min: 0, max: 10, noNaN: true }), fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY));

test("the other hosts' ranks read what the coordinator's leader wrote", (t) => {
  const losses = fc.array(fc.tuple(numbers, fc.nat(2)), { minLength: 4, maxLength: 4 });
  const seen = new Set<string>();
  fc.assert(
    fc.property(clips, losses, fc.array(numbers, { minLength: 4, maxLength: 4 }), fc.boolean(), fc.nat(5), (clip, blocks, squares, stops, skippedBefore) => {
      const [coordinator, other] = [hostOf(0, clip), hostOf(1, clip)];
      t.is(coordinator.plan.blocks.count, 4);
      // Each host's subtree: the sum of its two shards stands at its first.
      for (const [shard, block] of blocks.entries()) coordinator.arena.f64.set(block, (coordinator.plan.lossBlocks >>> 3) + 2 * shard);
      coordinator.arena.f64.set(squares, coordinator.plan.squareSums >>> 3);
      coordinator.arena.i32[controlIndex(coordinator.plan.control).stopRequest] = stops ? 1 : 0;
      for (const { rank } of [coordinator, other]) {
        rank.updates = 10;
        rank.skippedInARow = skippedBefore;
      }
      const decision = reachVerdict(coordinator.rank);
      const { plan, arena } = coordinator;
      other.arena.u8.set(arena.u8.subarray(plan.verdict, plan.verdict + plan.verdictBytes), other.plan.verdict);
      t.is(reachVerdict(other.rank), decision);

      const told = ({ rank, plan: own, arena: { f64 } }: Host): unknown => {
        const sums = own.ranks[0]!.lossSums.result >>> 3;
        return { ...rank.clip, stops: rank.stops, updates: rank.updates, skipped: rank.skippedInARow, loss: rank.lossSum, correct: f64[sums + 1] };
      };
      t.deepEqual(told(other), told(coordinator));
      const loss = blocks[0]![0] + blocks[2]![0];
      const norm = Math.sqrt(squares.reduce((sum, square) => sum + square, 0));
      const finite = Number.isFinite(loss) && Number.isFinite(norm);
      t.is(decision, finite ? 'apply' : skippedBefore + 1 >= 3 ? 'halt' : 'skip');
      t.like(told(other) as object, {
        gradNorm: norm,
        loss,
        correct: blocks[0]![1] + blocks[2]![1],
        stops,
        updates: finite ? 11 : 10,
        skipped: finite ? 0 : skippedBefore + 1,
      });
      seen.add(decision);
    }),
    { numRuns: 60, seed: 20_240_603 },
  );
  t.deepEqual([...seen].sort(), ['apply', 'halt', 'skip']);
});

test('the coordinator waits for all sums, the others for verdict and gradient, also of a skipped step', (t) => {
  for (const loss of [1, Number.NaN]) {
    const [coordinator, other] = [hostOf(0, {}), hostOf(1, {})];
    coordinator.arena.f64[coordinator.plan.lossBlocks >>> 3] = loss;
    reachVerdict(coordinator.rank);
    reachVerdict(other.rank);
    t.deepEqual(coordinator.said, ['take sums', 'announce verdict']);
    t.deepEqual(other.said, ['take verdicts', 'take reduced']);
  }
});
