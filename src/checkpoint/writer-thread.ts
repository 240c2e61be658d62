/**
 * Room: checkpoint (level 3). What the writer's thread runs: one write after the other, each answered once. It never throws: what
 * went wrong is its answer.
 */
import { parentPort } from 'node:worker_threads';
import { isLockstepError } from '../errors.ts';
import { writeCheckpoint } from './publish.ts';
import type { WriteAnswer, WriteTask } from './request.ts';

async function answer(task: WriteTask): Promise<WriteAnswer> {
  try {
    return { kind: 'written', written: await writeCheckpoint(task) };
  } catch (error) {
    const { message, stack } = error instanceof Error ? error : new Error(String(error));
    return { kind: 'failed', code: isLockstepError(error) ? error.code : 'LOCKSTEP_INTERNAL', message, stack };
  }
}

parentPort?.on('message', async (task: WriteTask) => {
  parentPort?.postMessage(await answer(task));
});
