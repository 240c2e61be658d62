/**
 * Room: cluster (level 7). What a coordinator is made with.
 */
import type { Guests } from './guests.ts';
import type { Resume } from './homecoming.ts';
import type { StepLinks } from './step-links.ts';
import type { RefusalReason } from './transport/refusal.ts';

export interface CoordinatorOptions {
  readonly name: string;
  /** 0: this process computes no shards, it only keeps the state and decides. */
  readonly workers: number;
  readonly minHosts: number;
  readonly topology: 'star' | 'mesh';
  readonly heartbeatTimeoutMs: number;
  /** Refused connections so far, by reason. */
  readonly refusals: ReadonlyMap<RefusalReason, number>;
  /** The run was begun by a process before this one: its hosts are waited for, and the newest state among them is taken. */
  readonly resume?: Resume | undefined;
  /** Aborting ends the waiting for hosts. */
  readonly signal?: AbortSignal | undefined;
  /** Told the names of the other hosts at each new generation. */
  readonly onMembers?: ((names: readonly string[]) => void) | undefined;
  /** A line for the user. */
  readonly onNews: (sentence: string) => void;
}

/** Who is connected, and how. */
export interface Connections {
  readonly guests: Guests;
  readonly stepLinks: StepLinks;
}
