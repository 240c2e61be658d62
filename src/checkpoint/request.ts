/**
 * Room: checkpoint (level 3). What is asked of the writer and what it answers: plain data, as both cross between threads.
 */
import type { ErrorCode } from '../errors.ts';
import type { SnapshotLayout } from './layout.ts';
import type { CheckpointRecord } from './record.ts';

export interface WriteRequest {
  /** Nobody may write to it until the checkpoint is written. */
  readonly snapshot: SharedArrayBuffer;
  readonly layout: SnapshotLayout;
  readonly record: Omit<CheckpointRecord, 'format' | 'files'>;
  /** How many checkpoints stay, this one included, and the best one besides; at least 1. */
  readonly keep: number;
  /** Which value of `record.metric` is the best one; absent: none is. */
  readonly best?: 'lowest' | 'highest';
}

export interface Written {
  readonly step: number;
  /** The path of the checkpoint's own folder. */
  readonly folder: string;
  readonly bytes: number;
  readonly seconds: number;
  /** What went wrong although the checkpoint is there: links that could not be set, old checkpoints that could not be removed. */
  readonly trouble?: string;
}

/** A write as the thread gets it. */
export interface WriteTask {
  readonly request: WriteRequest;
  readonly folder: string;
  /** The number of this write in its process. */
  readonly serial: number;
  /** What dead processes left in the folder, to be removed first. */
  readonly leftovers: readonly string[];
}

/** The end of a write; errors as plain data, since classes do not survive threads. */
export type WriteAnswer =
  | { readonly kind: 'written'; readonly written: Written }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string; readonly stack: string | undefined };
