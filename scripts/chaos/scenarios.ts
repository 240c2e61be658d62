/**
 * Room: scripts (level 8). What may happen to a run: the table from which faults are drawn. A scenario that is not enabled is one that
 * Lockstep does not promise to survive yet; `--only NAME` draws it all the same.
 */
import type { RankFault } from '../../src/local/task.ts';
import type { Phase } from '../../src/telemetry/timing.ts';

/** To whom: a host that joined, the process that listens, a run of one process. */
export type Victim = 'host' | 'coordinator' | 'lone';

/** What is done to a process from outside. `writing` kills it while it writes a checkpoint. */
export type OutsideKind = 'kill' | 'stop' | 'leave' | 'join' | 'slow' | 'partition' | 'cut' | 'writing';

interface Always {
  readonly name: string;
  readonly victim: Victim;
  /** How often it is drawn, against the others. */
  readonly weight: number;
  readonly enabled: boolean;
}

interface Outside extends Always {
  readonly place: 'outside';
  readonly kind: OutsideKind;
}

interface Inside extends Always {
  readonly place: 'inside';
  readonly kind: RankFault['kind'];
  readonly phases: readonly Phase[];
}

export type Scenario = Outside | Inside;

/** Phases of a step that every rank enters. */
const local = ['data', 'forward', 'loss', 'bn_sync', 'backward', 'reduce', 'clip', 'optimizer', 'commit'] as const satisfies readonly Phase[];
/** With the phase that only the leader of a host enters, where there are others. */
const all = [...local, 'network'] as const satisfies readonly Phase[];

/** Ranks that die in a process that joined, and in one that listens. */
const hostRanks = false;
const coordinatorRanks = false;
/** A process that is killed from inside while it takes part: the same for the others as from outside, but at a known phase. */
const hostKillsInside = false;
/** A run that is started again on its run directory. */
const resume = false;

const outside = (victim: Victim, kind: OutsideKind, weight: number, enabled = true): Outside => ({
  name: `${victim}-${kind}`,
  victim,
  place: 'outside',
  kind,
  weight,
  enabled,
});
const inside = (victim: Victim, kind: RankFault['kind'], phases: readonly Phase[], weight: number, enabled: boolean): Inside => ({
  name: `${victim}-rank-${kind}`,
  victim,
  place: 'inside',
  kind,
  phases,
  weight,
  enabled,
});

export const scenarios: readonly Scenario[] = [
  outside('host', 'kill', 8),
  outside('host', 'stop', 4),
  outside('host', 'leave', 3),
  outside('host', 'join', 3),
  outside('host', 'slow', 2),
  outside('host', 'partition', 3),
  outside('host', 'cut', 3),
  inside('host', 'kill', all, 12, hostKillsInside),
  inside('host', 'throw', all, 4, hostRanks),
  inside('host', 'exit', all, 4, hostRanks),
  inside('host', 'memory', local, 2, hostRanks),
  inside('host', 'hang', local, 2, hostRanks),
  outside('coordinator', 'stop', 1),
  outside('coordinator', 'slow', 1),
  outside('coordinator', 'kill', 4, resume),
  outside('coordinator', 'writing', 4, resume),
  inside('coordinator', 'kill', all, 6, resume),
  inside('coordinator', 'throw', all, 3, coordinatorRanks),
  inside('coordinator', 'exit', all, 3, coordinatorRanks),
  inside('lone', 'throw', local, 6, true),
  inside('lone', 'exit', local, 6, true),
  inside('lone', 'memory', local, 3, true),
  inside('lone', 'hang', local, 3, true),
  inside('lone', 'kill', local, 8, resume),
  outside('lone', 'kill', 6, resume),
  outside('lone', 'writing', 4, resume),
];

/** True when the process is gone by it. */
export function ends({ kind }: Pick<Scenario, 'kind'>): boolean {
  return kind === 'kill' || kind === 'leave' || kind === 'writing';
}

/** True when the run is only saved by what its run directory holds or other hosts know. */
export function needsResume({ kind, victim }: Pick<Scenario, 'kind' | 'victim'>): boolean {
  return victim !== 'host' && (kind === 'kill' || kind === 'writing');
}
