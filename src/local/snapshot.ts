/**
 * Room: local (level 6). What a process has to tell of its ranks at a moment, read from its arena: nobody is asked and nothing waits, so a busy rank is
 * told as it stands.
 */
import { memoryKinds } from '../memory/plan.ts';
import { stoodStep } from '../model/standing.ts';
import { readObservation, readSyncs } from '../telemetry/observation.ts';
import type { NetworkSnapshot, ObservedStep, ProcessSnapshot, RankSnapshot } from '../telemetry/snapshot.ts';
import { phases, readTimes } from '../telemetry/timing.ts';
import type { Station } from './station.ts';

/** Of a machine alone. */
const noNetwork: NetworkSnapshot = {
  controlBytes: [0, 0],
  controlMessages: [0, 0],
  stepBytes: [0, 0],
  stepMessages: [0, 0],
  gradientBytesOut: 0,
  sendQueueBytes: 0,
  reconnects: 0,
  refusedPeers: {},
};

export function snapshotOf(station: Station, generation = 0, network = noNetwork): ProcessSnapshot {
  const { plan, arena } = station;
  return {
    step: stoodStep(arena, plan),
    generation,
    ranks: plan.ranks.map((_, rank) => rankSnapshot(station, rank)),
    observed: observedStep(station),
    bnVarianceMin: smallestVariances(station),
    bnSyncs: readSyncs(arena, plan.observation),
    shards: plan.shards.ranks.reduce((sum, { count }) => sum + count, 0),
    arenaBytes: Object.fromEntries(memoryKinds.map((kind) => [kind, plan.memory.bytesByKind.get(kind) ?? 0])),
    network,
  };
}

function rankSnapshot({ plan, arena }: Station, rank: number): RankSnapshot {
  const { times, progress } = plan.ranks[rank]!;
  const [step, phase, layer] = arena.i32.subarray(progress >>> 2, (progress >>> 2) + 3) as unknown as [number, number, number];
  return { rank, seconds: readTimes(arena, times), step, phase: phases[phase] ?? 'data', layer: plan.topology.layers[layer]?.name ?? '' };
}

function observedStep({ plan, arena }: Station): ObservedStep | undefined {
  const seen = readObservation(arena, plan.observation);
  if (!seen) return undefined;
  const named = (values: readonly number[]) => plan.topology.layers.flatMap(({ name }, i): [string, number][] => (Number.isNaN(values[i]!) ? [] : [[name, values[i]!]]));
  return { step: seen.step, updateRatio: seen.updateRatio, layerGradientNorms: named(seen.gradientNorms), bnDrift: named(seen.drifts) };
}

function smallestVariances({ plan, arena }: Station): [layer: string, variance: number][] {
  const { topology, weights } = plan;
  return topology.weights.flatMap(({ definition, size, layer }, i): [string, number][] => {
    if (definition.name !== 'moving_variance') return [];
    const first = weights[i]! >>> 2;
    let least = Number.POSITIVE_INFINITY;
    for (let c = 0; c < size; c++) least = Math.min(least, arena.f32[first + c]!);
    return [[topology.layers[layer]!.name, least]];
  });
}
