/**
 * Room: local (level 6). What the reader's thread runs: orders come as messages, batches go to the ring. It never throws: what went
 * wrong is in the arena, where ranks find it.
 */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { isLockstepError } from '../errors.ts';
import { Arena } from '../memory/arena.ts';
import { type FeedPlace, reportFeedTrouble } from '../model/feed-place.ts';
import { troubleText } from '../train/feed.ts';
import { ReadAhead, type ReadOrder, type StreamedSets } from './read-ahead.ts';

export interface ReaderTask {
  readonly memory: WebAssembly.Memory;
  readonly place: FeedPlace;
  readonly sets: StreamedSets;
}

function run({ memory, place, sets }: ReaderTask): void {
  const arena = new Arena(memory);
  try {
    new ReadAhead(arena, place, sets).follow(() => receiveMessageOnPort(parentPort!)?.message as ReadOrder | undefined);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    reportFeedTrouble(arena, place, troubleText(isLockstepError(error) ? error.code : 'LOCKSTEP_INTERNAL', message));
  }
}

run(workerData as ReaderTask);
