/**
 * Room: train (level 5). One rank of a run: everything that its thread holds between steps. The state that must survive
 * the rank is in the arena; here are only ways to it.
 */
import { Barrier } from '../collectives/barrier.ts';
import { type ControlIndex, controlIndex } from '../collectives/control.ts';
import type { Meeting } from '../collectives/shared.ts';
import { arrivals, type Carrier, outboxKinds, Uplink } from '../collectives/uplink.ts';
import type { OptimizerConfig } from '../config/optimizers.ts';
import { LockstepError } from '../errors.ts';
import type { Kernels } from '../kernels/contract.ts';
import { type Loss, lossOf } from '../losses/loss.ts';
import type { Arena } from '../memory/arena.ts';
import { type Bounds, boundsOf } from '../model/bounds.ts';
import type { RunPlan } from '../model/plan.ts';
import { RankRuntime, type Visit } from '../model/runtime.ts';
import { trainedNames } from '../model/topology.ts';
import { Updating } from '../model/updating.ts';
import { blockShare } from '../numerics/norm.ts';
import { type ClipOutcome, clipOutcome } from '../optimizers/clip.ts';
import { PercentileClip } from '../optimizers/percentile-clip.ts';
import { type UpdateRule, updateRule } from '../optimizers/rule.ts';
import { observationIndex } from '../telemetry/observation.ts';
import { Recorder } from '../telemetry/recording.ts';
import { type Phase, PhaseClock, phaseIndex } from '../telemetry/timing.ts';
import { type BucketWork, bucketWork } from './buckets.ts';
import { Feed } from './feed.ts';
import { type UnitClip, unitClip } from './unit-clip.ts';

/** These layers are frozen in the epochs before `until`, from 0. Plain data. */
export interface Freeze {
  readonly layers: readonly string[];
  readonly until: number;
}

/** What a run is beside its plan. Plain data: it crosses threads as it is. */
export interface TrainingSpec {
  readonly optimizer: OptimizerConfig;
  readonly seed: number;
  readonly shuffle: boolean;
  /** Rows of a training batch, and of a validation batch. */
  readonly batchSize: number;
  readonly validationBatchSize: number;
  readonly onNonFinite: 'halt' | 'skip';
  /** With `halt`: how many steps in a row may be skipped before the run ends. */
  readonly haltAfterSkipped: number;
  /** Layers that are frozen for some epochs; absent: none. */
  readonly freeze?: readonly Freeze[];
}

export interface Rank {
  readonly runtime: RankRuntime;
  readonly arena: Arena;
  readonly spec: TrainingSpec;
  readonly control: ControlIndex;
  readonly loss: Loss;
  readonly rule: UpdateRule;
  readonly clip: ClipOutcome;
  /** Present when the threshold follows from the norms of updates before. */
  readonly percentile: PercentileClip | undefined;
  /** Present when gradients are clipped unit by unit. */
  readonly units: UnitClip | undefined;
  readonly bounds: Bounds;
  /** Whether outputs of layers are penalized. */
  readonly hasActivities: boolean;
  /** The norm blocks [from, to) that this rank updates, and on a single host reduces. */
  readonly blocksFrom: number;
  readonly blocksTo: number;
  readonly clock: PhaseClock;
  /** Present when the first steps are recorded. */
  readonly recorder: Recorder | undefined;
  /** Writes the layer of operation `index` to the progress words, and lets messages that are on their way go on. */
  readonly markLayer: Visit;
  /** Where all ranks wait for each other. */
  readonly meeting: Meeting;
  /** The way to other hosts, if there are any; what this rank does with the gradient's buckets; whether other hosts reduce any. */
  readonly uplink: Uplink | undefined;
  readonly buckets: readonly BucketWork[];
  readonly awaitsReduced: boolean;
  /** Where inputs come from that are read ahead; absent: all data are in memory. */
  readonly feed: Feed | undefined;
  /** How far this rank is in applying the step. */
  readonly updating: Updating;
  /** By tensor: 1 while it is frozen. */
  readonly frozen: Uint8Array;
  /** What the sum of the step's losses is divided by: the rows of the global batch, or the sum of their weights. */
  divisor: number;
  /** What a row of a mean over rows weighs in that sum: the mean weight of rows. */
  rowWeight: number;
  /** The sum of losses over the global batch, with penalties; known with the verdict. */
  lossSum: number;
  /** Whether training ends after the step, as agreed with everybody. */
  stops: boolean;
  /** The last of main's wishes to observe that was met. */
  observed: number;
  /** Updates applied and steps skipped in a row so far: the same on every rank, set by each command anew. */
  updates: number;
  skippedInARow: number;
}

/** `spins` as in `Barrier`, `carrier` as in `Uplink`. */
export function createRank(plan: RunPlan, rank: number, arena: Arena, kernels: Kernels, spec: TrainingSpec, spins: number, carrier?: Carrier): Rank {
  const control = controlIndex(plan.control);
  const own = plan.ranks[rank]!;
  const recording = plan.recordings[rank];
  const recorder = recording && new Recorder(arena, recording);
  const clock = new PhaseClock(arena, own.times, recorder);
  const barrier = new Barrier(arena, control, plan.spec.ranks, spins);
  const meeting: Meeting = {
    meet() {
      const phase = clock.enter(phaseIndex.wait);
      barrier.meet();
      clock.enter(phase);
    },
  };
  const uplink = plan.shards.hosts && timed(new Uplink(arena, control, plan.uplink, rank === 0, carrier), clock, recorder, rank === 0);
  const runtime = new RankRuntime(plan, rank, arena, kernels, meeting, spec.seed, uplink);
  timeSync(runtime, clock, arena);
  const [blocksFrom, blocksTo] = blockShare(plan.blocks, rank, plan.spec.ranks);
  const layerWord = (own.progress >>> 2) + 2;
  return {
    runtime,
    arena,
    spec,
    control,
    loss: lossOf(plan.spec.loss!),
    rule: updateRule(spec.optimizer, trainedNames(plan.topology)),
    bounds: boundsOf(plan),
    hasActivities: own.operations.some(({ activity }) => activity !== undefined),
    clip: clipOutcome(spec.optimizer, plan.tensors.length),
    percentile: percentileClip(plan, spec.optimizer),
    units: unitClip(plan, spec.optimizer, rank),
    blocksFrom,
    blocksTo,
    clock,
    recorder,
    markLayer: (index) => {
      arena.i32[layerWord] = own.operations[index]!.layer;
      clock.beat();
      uplink?.proceed();
    },
    meeting,
    uplink,
    buckets: bucketWork(plan, rank),
    awaitsReduced: awaitsReduced(plan),
    feed: plan.feed && new Feed(arena, plan.feed, rank, control, clock),
    updating: new Updating(arena, plan.updating, rank),
    frozen: new Uint8Array(plan.tensors.length),
    divisor: 0,
    rowWeight: 1,
    lossSum: 0,
    stops: false,
    observed: 0,
    updates: 0,
    skippedInARow: 0,
  };
}

function percentileClip({ spec: { clipHistory } }: RunPlan, { clipPercentile }: OptimizerConfig): PercentileClip | undefined {
  if (!clipPercentile) return undefined;
  if (clipHistory !== undefined) return new PercentileClip(clipPercentile, clipHistory);
  throw new LockstepError('LOCKSTEP_INTERNAL', 'Expected a plan with room for norms as the optimizer has `clipPercentile`, got one without; report it.');
}

function awaitsReduced({ shards: { hosts }, gradients }: RunPlan): boolean {
  return hosts !== undefined && !hosts.direct && gradients.hosts!.shares.some(({ first, end }, host) => host !== hosts.host && first < end);
}

/** The time of waiting for other hosts, and of sending to them, goes to a phase of its own. What is recorded says what was sent and waited for. */
function timed(uplink: Uplink, clock: PhaseClock, recorder: Recorder | undefined, leads: boolean): Uplink {
  const wait = uplink.waitFor.bind(uplink);
  const announce = uplink.announce.bind(uplink);
  uplink.waitFor = (word) => {
    const phase = clock.enter(phaseIndex.network);
    recorder?.awaits(arrivals.indexOf(word));
    wait(word);
    clock.enter(phase);
  };
  uplink.announce = (kind, index) => {
    const phase = clock.enter(phaseIndex.network);
    if (leads) recorder?.announced(outboxKinds.indexOf(kind), index ?? 0);
    announce(kind, index);
    clock.enter(phase);
  };
  return uplink;
}

/** The time of merging statistics for layers goes to a phase of its own, and rank 0 counts it; that of the loss stays where it is. */
function timeSync({ sync, own, plan, rank }: RankRuntime, clock: PhaseClock, { f64 }: Arena): void {
  const { syncs } = observationIndex(plan.observation);
  for (const name of ['mergeMoments', 'mergeSums'] as const) {
    const merge = sync[name].bind(sync);
    sync[name] = (area) => {
      if (area === own.lossSums) {
        merge(area);
        return;
      }
      const phase = clock.enter(phaseIndex.bn_sync);
      merge(area);
      clock.enter(phase);
      if (rank === 0) f64[syncs]!++;
    };
  }
}

/** Says where the rank is, for the clock and for whoever must explain its death. The layer is set by `markLayer`. */
export function enterPhase(rank: Rank, phase: Phase): void {
  const progress = rank.runtime.own.progress >>> 2;
  rank.arena.i32[progress] = rank.runtime.context.batch.step;
  rank.arena.i32[progress + 1] = phaseIndex[phase];
  rank.arena.i32[progress + 2] = -1;
  rank.clock.enter(phaseIndex[phase]);
}
