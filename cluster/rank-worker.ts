/**
 * Room: cluster (level 7). What a rank's thread runs on one of several hosts: the rank of a machine alone, whose leader carries messages
 * when the main thread has handed it connections.
 */
import { LockstepError } from '../src/errors.ts';
import { runRank } from '../src/local/rank-worker.ts';
import type { RankOutcome, RankTask } from '../src/local/task.ts';
import { LeaderCarrier } from './exchange/carrier.ts';
import { systemCalls } from './transport/descriptor.ts';

export default function runClusterRank(task: RankTask): RankOutcome {
  return runRank(task, (plan, arena, steps) => {
    const system = systemCalls();
    if (!system.ok) throw new LockstepError('LOCKSTEP_INTERNAL', `Expected the system's calls in a rank as in the main thread, got none: ${system.reason}.`);
    return new LeaderCarrier(plan, arena, steps, system.calls, task.spins);
  });
}
