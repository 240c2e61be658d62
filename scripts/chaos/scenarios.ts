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
const shared = ['data', 'forward', 'loss', 'bn_sync', 'backward', 'reduce', 'optimizer', 'commit'] as const satisfies readonly Phase[];
/** Every rank of a machine alone clips and decides by itself; of several hosts, the first rank of the first one does for all. */
const local = [...shared, 'clip'] as const satisfies readonly Phase[];
/** With the phase that only the leader of a host enters, where there are others. */
const joined = [...shared, 'network'] as const satisfies readonly Phase[];
const leading = [...local, 'network'] as const satisfies readonly Phase[];

/** Ranks that die in a process that joined, and in one that listens. */
const clusterRanks = true;
/** A process that listens, started again on its run directory while hosts wait for it. */
const clusterResume = true;
/** The same of a run of one process. */
const loneResume = true;

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
  inside('host', 'kill', joined, 12, true),
  inside('host', 'throw', joined, 4, clusterRanks),
  inside('host', 'exit', joined, 4, clusterRanks),
  inside('host', 'memory', shared, 2, clusterRanks),
  inside('host', 'hang', shared, 2, clusterRanks),
  outside('coordinator', 'stop', 1),
  outside('coordinator', 'slow', 1),
  outside('coordinator', 'kill', 4, clusterResume),
  outside('coordinator', 'writing', 4, clusterResume),
  inside('coordinator', 'kill', leading, 6, clusterResume),
  inside('coordinator', 'throw', leading, 3, clusterRanks),
  inside('coordinator', 'exit', leading, 3, clusterRanks),
  inside('lone', 'throw', local, 6, true),
  inside('lone', 'exit', local, 6, true),
  inside('lone', 'memory', local, 3, true),
  inside('lone', 'hang', local, 3, true),
  inside('lone', 'kill', local, 8, loneResume),
  outside('lone', 'kill', 6, loneResume),
  outside('lone', 'writing', 4, loneResume),
];

/** True when the process is gone by it. */
export function ends({ kind }: Pick<Scenario, 'kind'>): boolean {
  return kind === 'kill' || kind === 'leave' || kind === 'writing';
}

/** True when the run is only saved by what its run directory holds or other hosts know. */
export function needsResume({ kind, victim }: Pick<Scenario, 'kind' | 'victim'>): boolean {
  return victim !== 'host' && (kind === 'kill' || kind === 'writing');
}
