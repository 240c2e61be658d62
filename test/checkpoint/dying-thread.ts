/**
 * Room: tests of checkpoint. The writer's thread with a flaw: it ends in the middle of a write that is to keep 666 checkpoints.
 */
import { parentPort } from 'node:worker_threads';
import type { WriteTask } from '../../src/checkpoint/request.ts';
import '../../src/checkpoint/writer-thread.ts';

parentPort?.on('message', ({ request }: WriteTask) => {
  if (request.keep === 666) process.exit(3);
});
