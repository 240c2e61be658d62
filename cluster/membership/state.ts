/**
 * Room: cluster (level 7), membership. What the coordinator knows of its run and hosts, what can happen to it, and what it
 * then has to do: plain data, so that the decisions in between need no socket and no clock. `docs/membership.md` walks through it.
 */

/** A process that takes part or wants to. The coordinator is host 0; others get growing ids in the order in which they apply. */
export interface Host {
  readonly id: number;
  readonly name: string;
  /** 0: a coordinator that only coordinates. */
  readonly workers: number;
  /** Rows per second of one worker; 0 while not measured. */
  readonly speed: number;
  /** Where other hosts reach it; empty when they cannot. */
  readonly address: string;
  /** Preparing data and plan, prepared and waiting to join, in the generation, or in it until the next boundary. */
  readonly phase: 'preparing' | 'prepared' | 'member' | 'leaving';
  /** The last step of which it holds the state; undefined while it holds none, or one that is on its way. */
  readonly committed: number | undefined;
}

/** A host's place in a generation: it computes shards [first, end). */
export interface Member {
  readonly id: number;
  readonly name: string;
  readonly workers: number;
  readonly address: string;
  readonly first: number;
  readonly end: number;
  /** It holds no state of the step from which the generation goes on: the coordinator sends it. */
  readonly receivesState: boolean;
}

/** Two members whose link broke in `failures` generations in a row without a committed step; low < high. */
export interface BrokenLink {
  readonly low: number;
  readonly high: number;
  readonly failures: number;
}

export interface RunState {
  /**
   * `waiting`: too few hosts, all stand. `forming`: a generation was announced, not all are ready. `running`: a command is
   * under way, or about to begin while nobody is awaited. `recovering`: recalled, not all stand. `draining`: ends as soon as all stand.
   */
  readonly phase: 'waiting' | 'forming' | 'running' | 'recovering' | 'draining' | 'done' | 'failed';
  readonly shards: number;
  /** So many members with workers, at least, or the run waits. */
  readonly minHosts: number;
  /** 0 before the first. */
  readonly generation: number;
  /** The highest that hosts have heard of from a coordinator before this one. */
  readonly seen: number;
  /** By id. */
  readonly hosts: readonly Host[];
  /** Ids of the generation as it was formed; who was lost since is no longer among `hosts`. */
  readonly members: readonly number[];
  /** Members of the generation that owe an answer: `ready` when forming, otherwise `boundary`. */
  readonly awaited: readonly number[];
  /** What the members were told about the command they are in: nothing, to stop after the step, or to leave the step. */
  readonly told: 'nothing' | 'stop' | 'leave';
  /** What the coordinator had committed when the generation was formed. */
  readonly formedAt: number;
  /** Links that failed in earlier generations, and those that broke in this one (their `failures` are not counted yet). */
  readonly brokenLinks: readonly BrokenLink[];
  readonly brokenNow: readonly Omit<BrokenLink, 'failures'>[];
  /** What everybody is told at the end of a run that drains. */
  readonly farewell: string;
}

/** What the shell saw. An event about an unknown host, a stale generation, or that comes twice changes nothing. */
export type MembershipEvent =
  /** A host wants to take part. */
  | { readonly kind: 'applied'; readonly id: number; readonly name: string; readonly workers: number; readonly address: string }
  /**
   * A host, the coordinator included, has data and plan. It holds the state of step `holds` (a host: 0 or absent, none; the coordinator: absent, as at
   * first), and has heard of no generation above `seen`.
   */
  | { readonly kind: 'prepared'; readonly id: number; readonly holds?: number; readonly seen?: number }
  | { readonly kind: 'leaveRequested'; readonly id: number }
  /** Its socket closed, it was silent, stuck or refused: `reason` is a sentence. */
  | { readonly kind: 'lost'; readonly id: number; readonly reason: string }
  /** All its ranks stand: the command is finished, or left after a recall. `speed` as in `Host`. */
  | { readonly kind: 'boundary'; readonly id: number; readonly generation: number; readonly committed: number; readonly speed: number }
  /** It has planned for the generation, holds the state, and its links are open. */
  | { readonly kind: 'ready'; readonly id: number; readonly generation: number }
  /** Its link to `peer` broke or could not be opened. */
  | { readonly kind: 'peerLost'; readonly id: number; readonly peer: number; readonly generation: number }
  /** One of its ranks died; all others stand, and it goes on with so many `workers`. `sentence` says what befell it. */
  | { readonly kind: 'stumbled'; readonly id: number; readonly generation: number; readonly workers: number; readonly sentence: string }
  /** The shell begins a command, in answer to `startWork`. */
  | { readonly kind: 'workBegan'; readonly generation: number }
  /** The run needs no further command. */
  | { readonly kind: 'workDone' }
  /** The user wants the run to end after the step it is in. */
  | { readonly kind: 'stopRequested' }
  /** The run cannot go on: `reason` is a sentence. */
  | { readonly kind: 'failed'; readonly reason: string };

/** What the shell does, in the order given. */
export type Effect =
  /** Send the applicant the run and its data. */
  | { readonly kind: 'prepare'; readonly id: number }
  /** Members, the coordinator's ranks included, stop after the step they are in. */
  | { readonly kind: 'stopAtBoundary' }
  /** Members, the coordinator's ranks included, leave the step they are in. */
  | { readonly kind: 'recall' }
  /** Tell all members, the coordinator included; send the state to those that receive it. By id, shards in that order. */
  | { readonly kind: 'newGeneration'; readonly generation: number; readonly members: readonly Member[] }
  /** All members are ready and stand: say `workBegan` and send the next command, or say `workDone`. */
  | { readonly kind: 'startWork'; readonly generation: number }
  /** The run waits for hosts and resumes by itself; said again when the number of hosts changes. */
  | { readonly kind: 'pause'; readonly sentence: string }
  /** Say goodbye with `message` and close. */
  | { readonly kind: 'release'; readonly id: number; readonly message: string }
  /** Refuse with `reason` and close. */
  | { readonly kind: 'drop'; readonly id: number; readonly reason: string }
  /** Tell the user. */
  | { readonly kind: 'announce'; readonly sentence: string }
  /** The run is over; no effect follows, ever. */
  | { readonly kind: 'end'; readonly outcome: 'done' | 'failed'; readonly sentence: string };

export interface Transition {
  readonly state: RunState;
  readonly effects: readonly Effect[];
}

export interface NewRun {
  readonly shards: number;
  readonly minHosts: number;
  readonly coordinator: { readonly name: string; readonly workers: number; readonly address: string };
  /** The step whose state the coordinator holds: 0 unless it goes on from a checkpoint. */
  readonly committed: number;
}

/** A run before anything happened: the coordinator alone, still preparing. */
export function newRun({ shards, minHosts, coordinator, committed }: NewRun): RunState {
  return {
    phase: 'waiting',
    shards,
    minHosts,
    generation: 0,
    seen: 0,
    hosts: [{ id: 0, ...coordinator, speed: 0, phase: 'preparing', committed }],
    members: [],
    awaited: [],
    told: 'nothing',
    formedAt: committed,
    brokenLinks: [],
    brokenNow: [],
    farewell: '',
  };
}

/** Hosts of the current generation, those that leave at the next boundary included. */
export function isMember({ phase }: Host): boolean {
  return phase === 'member' || phase === 'leaving';
}
