/**
 * Room: scripts (level 8). What happens in a run, decided before it begins: who takes part and which fault comes at which step. A pure
 * function of the seed, the run's number and the table.
 */
import type { RankFault } from '../../src/local/task.ts';
import type { Phase } from '../../src/telemetry/timing.ts';
import { Draws } from './draws.ts';
import { stepsPerEpoch } from './recipe.ts';
import { ends, needsResume, type OutsideKind, type Scenario, type Victim } from './scenarios.ts';

interface Always {
  /** The committed step after which it comes; from inside, the step in which it comes. */
  readonly at: number;
  readonly scenario: string;
  readonly victim: Victim;
  /** Which process: 0 leads, others join. */
  readonly slot: number;
}

export interface OutsideFault extends Always {
  readonly place: 'outside';
  readonly kind: OutsideKind;
}

export interface InsideFault extends Always {
  readonly place: 'inside';
  readonly kind: RankFault['kind'];
  readonly phase: Phase;
  /** Of its process. */
  readonly rank: number;
}

export type Fault = OutsideFault | InsideFault;

export interface RunPlan {
  readonly seed: number;
  readonly index: number;
  readonly kind: 'cluster' | 'lone';
  /** Worker threads by slot. */
  readonly workers: readonly number[];
  readonly topology: 'star' | 'mesh';
  readonly minHosts: number;
  readonly steps: number;
  /** Whether the run keeps checkpoints, to be started again. */
  readonly resumes: boolean;
  /** By step. */
  readonly faults: readonly Fault[];
}

export interface Lengths {
  readonly faults: number;
  /** Steps from a fault to the next, about. */
  readonly gap: number;
}

export const lengths: Lengths = { faults: 10, gap: 150 };

/** A host that is hit from inside must have been there for a while: faults that its slot was spared before. Without who leads there are no steps to miss. */
const spared = 3;

/** All runs have so many steps, so that one undisturbed run serves them all. */
export function stepsOf({ faults, gap }: Lengths): number {
  return (faults + 3) * gap;
}

/** The run with this number in the row of `seed`. */
export function planRun(seed: number, index: number, table: readonly Scenario[], size: Lengths = lengths): RunPlan {
  const draws = new Draws(seed, index);
  const kind = draws.weighted(table).victim === 'lone' ? 'lone' : 'cluster';
  const mine = table.filter(({ victim }) => (victim === 'lone') === (kind === 'lone'));
  const slots = kind === 'lone' ? 1 : draws.between(3, 4);
  const workers = Array.from({ length: slots }, () => (kind === 'lone' ? draws.between(2, 3) : draws.between(1, 2)));
  const topology = draws.pick(['star', 'mesh'] as const);
  const minHosts = kind === 'cluster' && draws.below(4) === 0 ? slots : 1;
  const faults = drawFaults(draws, mine, workers, size);
  return { seed, index, kind, workers, topology, minHosts, steps: stepsOf(size), resumes: faults.some(needsResume), faults };
}

function drawFaults(draws: Draws, table: readonly Scenario[], workers: readonly number[], { faults: count, gap }: Lengths): Fault[] {
  const faults: Fault[] = [];
  const last = workers.map(() => -spared);
  /** A process carries one fault in all: another one needs another process. */
  const spent = workers.map(() => false);
  for (let number = 0; number < count; number++) {
    const isRipe = (slot: number): boolean => !spent[slot] && (slot === 0 || number - last[slot]! >= spared);
    const slotsFor = ({ place, victim }: Scenario): number[] => {
      const own = victim === 'host' ? workers.map((_, slot) => slot).slice(1) : [0];
      return place === 'inside' ? own.filter(isRipe) : own;
    };
    const possible = table.filter((scenario) => slotsFor(scenario).length > 0);
    if (possible.length === 0) continue;
    const scenario = draws.weighted(possible);
    const slot = draws.pick(slotsFor(scenario));
    // Not before all are there.
    const drawn = (number + 2) * gap + draws.below(Math.ceil(gap / 2));
    const { name, victim } = scenario;
    if (scenario.place === 'inside') {
      const phase = draws.pick(scenario.phases);
      // The data of a step are those that are gathered after it, of which there are none at the end of an epoch.
      const at = phase === 'data' && drawn % stepsPerEpoch === 0 ? drawn + 1 : drawn;
      const rank = phase === 'network' || (phase === 'clip' && victim === 'coordinator') ? 0 : draws.below(workers[slot]!);
      faults.push({ at, scenario: name, victim, slot, place: 'inside', kind: scenario.kind, phase, rank });
      spent[slot] = true;
    } else faults.push({ at: drawn, scenario: name, victim, slot, place: 'outside', kind: scenario.kind });
    if (ends(scenario)) spent[slot] = false;
    if (scenario.kind !== 'join') last[slot] = number;
  }
  return faults;
}
