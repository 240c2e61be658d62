/**
 * Room: model (level 4). The plan of a run on one host: every tensor of every rank at its address, every layer compiled.
 * A pure function of its spec: each thread makes the same plan for itself, so no address is ever sent.
 */
import { reserveControl } from '../collectives/control.ts';
import { planShards, type RankShards, type ShardPlan } from '../collectives/shard-plan.ts';
import { privateBlocks, sharedBlocks } from '../collectives/shared.ts';
import { reserveTrouble } from '../collectives/trouble.ts';
import { reserveUplink } from '../collectives/uplink.ts';
import type { WeightPlace } from '../layers/layer.ts';
import { lossOf } from '../losses/loss.ts';
import { type Address, arenaLimitBytes } from '../memory/arena.ts';
import { alignmentBytes, MemoryPlan } from '../memory/plan.ts';
import { sizeOf } from '../memory/shape.ts';
import { type Measures, planMeasures } from '../metrics/measures.ts';
import { type Blocks, cutBlocks } from '../numerics/norm.ts';
import { type ObservationPlan, reserveObservation } from '../telemetry/observation.ts';
import { entriesPerStep, type RecordingPlace, reserveRecording } from '../telemetry/recording.ts';
import { type ReportLayout, reserveReports } from '../telemetry/reports.ts';
import { reserveTraffic } from '../telemetry/traffic.ts';
import { type DataPlace, placeData } from './data-place.ts';
import { type FeedPlace, reserveFeed } from './feed-place.ts';
import { fuseFirstNormalization } from './fusion.ts';
import { type GradientPlan, operationBytes, type ParameterTensor, planGradients } from './gradients.ts';
import { capacityOf } from './passes.ts';
import type { PlanSpec } from './plan-spec.ts';
import { compileRank, type RankPlan, type SharedPlaces } from './rank-plan.ts';
import { reserveStanding } from './standing.ts';
import { resolveTopology, type Topology, withoutFinal } from './topology.ts';
import { planUnits, type UnitPlan } from './units.ts';
import { reserveUpdating } from './updating.ts';

export type { DataPlace, DataSpec } from './data-place.ts';
export type { PlanSpec } from './plan-spec.ts';

/**
 * A plan has two parts. Up to `lasting` everything stands at the same address whatever the host's part of the run and its ranks:
 * control words, the state (weights, optimizer vectors and how it stands, [state.from, state.to)), the data, and for as many ranks as there are their
 * recordings. What follows is scratch of one plan, zeroed when it begins.
 */
export interface RunPlan {
  readonly spec: PlanSpec;
  readonly topology: Topology;
  readonly shards: ShardPlan;
  readonly memory: MemoryPlan;
  readonly lasting: Address;
  readonly state: { readonly from: Address; readonly to: Address };
  readonly control: Address;
  readonly reports: ReportLayout;
  /** How the state stands (rank 0, while training), see standing.ts: the last bytes of the state. */
  readonly standing: Address;
  /** What a shard adds up over its rows: the loss's numbers and the metrics'. */
  readonly measures: Measures;
  /** Where the value of every weight is, in model order. */
  readonly weights: readonly Address[];
  readonly tensors: readonly ParameterTensor[];
  /** Norm blocks over `tensors`. */
  readonly blocks: Blocks;
  /** The vectors: parameters, the optimizer's, and the gradients'. */
  readonly parameters: Address;
  readonly optimizerSlots: readonly Address[];
  readonly gradients: GradientPlan;
  /** float64 square sum of each block. */
  readonly squareSums: Address;
  /** Two float64 a block: square sums of weights and of their step, for optimizers that ask for norms; then one a block: its penalty. */
  readonly updateSums: Address;
  /** Factors of units and room for clipped blocks, for optimizers that clip unit by unit. */
  readonly units: UnitPlan | undefined;
  /** One int32 a rank: what a diagnosis found, see train/diagnose.ts; then the least of the other hosts'. */
  readonly findings: Address;
  /** How far each rank is in applying a step, see model/updating.ts. */
  readonly updating: Address;
  /** Words for the exchange with other hosts, what failed of it, what it took, and the record of the verdict; 0 on a single host. */
  readonly uplink: Address;
  readonly trouble: Address;
  readonly traffic: Address;
  /** What ranks note of a step that is looked at closely, see telemetry/observation.ts. */
  readonly observation: ObservationPlan;
  /** A block of loss sums a shard. */
  readonly lossBlocks: Address;
  readonly verdict: Address;
  readonly verdictBytes: number;
  readonly train: DataPlace | undefined;
  readonly validation: DataPlace | undefined;
  /** Where inputs come in that stay on disk, if any do. */
  readonly feed: FeedPlace | undefined;
  /** Where outputs go that are asked for: float32 (rows of the validation data, ...output shape); 0 when none are. */
  readonly predictions: Address;
  /** By rank; none when nothing is recorded. */
  readonly recordings: readonly RecordingPlace[];
  readonly ranks: readonly RankPlan[];
}

/** Makes the plan. Throws LOCKSTEP_SHAPE when layers do not fit each other and LOCKSTEP_MEMORY when the arena would be too large. */
export function planRun(spec: PlanSpec): RunPlan {
  const memory = new MemoryPlan();
  const loss = lossOf(spec.loss ?? { type: 'given' });
  const resolved = resolveTopology(loss.fuses && loss.logitsOf ? withoutFinal(spec.model, loss.logitsOf) : spec.model, spec.inputShape);
  const topology = spec.inputGradient || spec.freezes ? resolved : fuseFirstNormalization(resolved);
  const shards = planShards(spec.shards, spec.ranks, spec.part);
  const trains = spec.train !== undefined;
  const passes = trains && topology.layers.some(({ definition }) => definition.needsWholeBatch) ? 1 : (spec.passes ?? 1);
  const measures = planMeasures(spec.metrics ?? [], loss, sizeOf(topology.outputShape));

  const control = reserveControl(memory);
  const reports = reserveReports(memory, measures.metrics.length);
  const tensors: ParameterTensor[] = [];
  let vectorBytes = 0;
  for (const [weight, { definition, size, operation }] of topology.weights.entries()) {
    if (definition.role === 'state') continue;
    tensors.push({ weight, layer: operation, offset: vectorBytes, size, summed: definition.role === 'summed' });
    vectorBytes += Math.ceil((4 * size) / alignmentBytes) * alignmentBytes;
  }
  const parameters = memory.reserve('parameters', vectorBytes);
  const tensorOf = new Map(tensors.map((tensor) => [tensor.weight, tensor]));
  const weights = topology.weights.map(({ size }, i) => {
    const tensor = tensorOf.get(i);
    return tensor ? parameters + tensor.offset : memory.reserve('parameters', 4 * size);
  });
  const optimizerSlots = Array.from({ length: spec.optimizerSlots }, () => memory.reserve('optimizer', vectorBytes));
  const standing = reserveStanding(memory, { measures, spec });
  const state = { from: parameters, to: memory.bytes };
  const train = spec.train && placeData(memory, spec.train);
  const validation = spec.validation && placeData(memory, spec.validation);
  const predictions = spec.predictions ? memory.reserve('data', 4 * spec.validation!.length * sizeOf(topology.outputShape)) : 0;
  // Ranks are lost, shards never: what follows stays where it is.
  const feed = reserveFeed(memory, [spec.train, spec.validation], spec.batchRows, spec.shards);
  const { traceSteps = 0 } = spec;
  const recordings = Array.from({ length: traceSteps > 0 ? spec.ranks : 0 }, () => reserveRecording(memory, traceSteps, passes * entriesPerStep(topology.layers.length)));
  const lasting = memory.bytes;

  // Vectors that do not fit would make tables of blocks that do not fit either.
  const blocks = cutBlocks(lasting > arenaLimitBytes ? [] : tensors.map(({ size }) => size));
  const gradients = trains ? planGradients(memory, shards, tensors, vectorBytes, blocks) : noGradients;
  memory.checkFits();
  /** Partial sums that a rank holds beside its roots: room for the weights of one operation, as operations take turns; for all where sums outlast a pass. */
  const largest = Math.max(0, ...topology.layers.map((_, layer) => operationBytes(tensors, layer)));
  const temporaries = shards.ranks.map(({ buffers, roots }) =>
    Array.from({ length: trains ? buffers - roots.length : 0 }, () => memory.reserve('gradients', passes > 1 ? vectorBytes : largest)),
  );
  const exchangeBlocks: Address[] = [];
  const areaBlocks = sharedBlocks(shards);
  const places: SharedPlaces = {
    memory,
    topology,
    labelSize: Math.max(1, spec.train?.targetSize ?? 0, spec.validation?.targetSize ?? 0),
    privateBlocks: privateBlocks(shards),
    exchangeBlocks: (index, channels) => (exchangeBlocks[index] ??= memory.reserve('statistics', areaBlocks * 16 * channels)),
    lossBlocks: memory.reserve('statistics', areaBlocks * 8 * measures.length),
    measures,
    weighted: spec.train?.weighted ? spec.batchRows : 0,
    inputGradient: spec.inputGradient ?? false,
    weightPlace: (weight, owner) => weightPlace(weight, owner),
  };
  function weightPlace(weight: number, owner: RankShards): WeightPlace {
    const { size } = topology.weights[weight]!;
    const value = weights[weight]!;
    const tensor = tensorOf.get(weight);
    if (!tensor || !trains) return { value, size, gradients: [] };
    if (!tensor.summed) return { value, size, gradients: [gradients.global + tensor.offset] };
    const within = passes > 1 ? tensor.offset : tensor.offset - tensors.find(({ layer }) => layer === tensor.layer)!.offset;
    const roots = owner.roots.map((_, i) => gradients.vectors[owner.firstPlace + i]! + tensor.offset);
    const own = temporaries[shards.ranks.indexOf(owner)]!.map((address) => address + within);
    return { value, size, gradients: [...roots, ...own] };
  }
  const squareSums = memory.reserve('gradients', 8 * blocks.count);
  const updateSums = trains ? memory.reserve('gradients', 24 * blocks.count) : 0;
  const shapes = tensors.map(({ weight }) => topology.weights[weight]!.definition.shape);
  const units = trains && spec.clipUnits ? planUnits(memory, shapes, spec.ranks) : undefined;
  const findings = memory.reserve('control', 4 * (spec.ranks + 1));
  const updating = reserveUpdating(memory, spec.ranks);
  const ranks = shards.ranks.map((owner) => {
    const capacity = capacityOf(owner, spec.shards, spec.batchRows, passes);
    return compileRank(places, owner, capacity, passes);
  });
  const observation = reserveObservation(memory, spec.ranks, topology.layers.length, spec.gradientHistograms ?? false);
  const uplink = shards.hosts ? reserveUplink(memory) : 0;
  const trouble = shards.hosts ? reserveTrouble(memory) : 0;
  const traffic = shards.hosts ? reserveTraffic(memory) : 0;
  // Eight numbers, the factor of each tensor and the metrics' numbers, see train/verdict.ts.
  const verdictBytes = 8 * (8 + tensors.length + measures.length - 2);
  const verdict = shards.hosts ? memory.reserve('control', verdictBytes) : 0;
  memory.checkFits();
  return {
    spec,
    topology,
    shards,
    memory,
    lasting,
    state,
    control,
    reports,
    standing,
    measures,
    weights,
    tensors,
    blocks,
    parameters,
    optimizerSlots,
    gradients,
    squareSums,
    updateSums,
    units,
    findings,
    updating,
    uplink,
    trouble,
    traffic,
    observation,
    lossBlocks: places.lossBlocks,
    verdict,
    verdictBytes,
    train,
    validation,
    feed,
    predictions,
    recordings,
    ranks,
  };
}

const noGradients: GradientPlan = { vectors: [], merges: [], global: 0, hosts: undefined };
