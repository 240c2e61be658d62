/**
 * Room: tests of local. A rank's thread whose rank 0 dies at step 14 and whose rank 1 hangs there.
 */
import { runRank } from '../../src/local/rank-worker.ts';
import type { RankOutcome, RankTask } from '../../src/local/task.ts';

export default function runFaultyRank(task: RankTask): RankOutcome {
  return runRank({ ...task, fault: { step: 14, phase: 'data', kind: task.rank === 0 ? 'throw' : 'hang' } });
}
