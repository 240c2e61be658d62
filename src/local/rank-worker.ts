/**
 * Room: local (level 6). What a rank's thread runs: one long-lived Piscina task that makes its plan, then follows the
 * doorbell until it is told to end. It blocks freely; nothing else lives in this thread. It never throws: its outcome
 * is what it returns. Among hosts the cluster has a worker of its own, which adds the leader's way to carry messages.
 */
import { Aborted } from '../collectives/barrier.ts';
import { abort, type ControlIndex, controlIndex, lookAgainMs } from '../collectives/control.ts';
import { type Carrier, Recalled } from '../collectives/uplink.ts';
import { isLockstepError } from '../errors.ts';
import { openKernels } from '../kernels/select.ts';
import { Arena } from '../memory/arena.ts';
import { planRun, type RunPlan } from '../model/plan.ts';
import { phaseIndex } from '../telemetry/timing.ts';
import { completeStep } from '../train/complete.ts';
import { evaluate, predictRows, recalibrate, trainBatches } from '../train/loop.ts';
import { createRank, type Rank } from '../train/rank.ts';
import { failing } from './fault.ts';
import { type RankOutcome, type RankTask, readCommand, type StepSockets } from './task.ts';

/** Makes the carrier of a leader that was given connections. */
export type OpenCarrier = (plan: RunPlan, arena: Arena, steps: StepSockets) => Carrier;

export default function runLocalRank(task: RankTask): RankOutcome {
  return runRank(task);
}

export function runRank(task: RankTask, openCarrier?: OpenCarrier): RankOutcome {
  const arena = new Arena(task.memory);
  const plan = planRun(task.plan);
  const control = controlIndex(plan.control);
  try {
    const kernels = openKernels(task.kernels, arena, plan.ranks[task.rank]!.scratch);
    const carrier = task.steps && task.rank === 0 ? openCarrier!(plan, arena, task.steps) : undefined;
    const rank = createRank(plan, task.rank, arena, kernels, task.training, task.spins, carrier);
    follow(task.fault ? failing(rank, task.fault) : rank, control);
    return { kind: 'done' };
  } catch (error) {
    if (error instanceof Aborted) return { kind: 'aborted' };
    if (error instanceof Recalled) return { kind: 'recalled' };
    abort(arena, control, task.rank);
    const { message, stack } = error instanceof Error ? error : new Error(String(error));
    return { kind: 'failed', code: isLockstepError(error) ? error.code : undefined, message, stack };
  }
}

/** Obeys command after command; each is finished with an announcement, whatever it was. */
function follow(rank: Rank, control: ControlIndex): void {
  const { arena, runtime } = rank;
  const { i32 } = arena;
  for (let obeyed = 0; ; obeyed++) {
    rank.clock.restart(phaseIndex.wait);
    while (Atomics.load(i32, control.doorbell) === obeyed) Atomics.wait(i32, control.doorbell, obeyed, lookAgainMs);
    // An abort is announced before the doorbell is changed for it, so who hears the bell sees the abort.
    if (Atomics.load(i32, control.abort) !== 0) throw new Aborted('The run was given up.');
    const command = readCommand(arena, control);
    switch (command.kind) {
      case 'end':
        return;
      case 'train':
        trainBatches(rank, command);
        break;
      case 'complete':
        completeStep(rank, command);
        break;
      case 'evaluate':
        evaluate(rank, runtime.plan.validation!);
        break;
      case 'predict':
        predictRows(rank, runtime.plan.validation!, runtime.plan.predictions);
        break;
      case 'recalibrate':
        recalibrate(rank, runtime.plan.validation!);
        break;
      default:
        command satisfies never;
    }
    rank.uplink?.drain();
    Atomics.add(i32, control.finished, 1);
    Atomics.notify(i32, control.finished);
  }
}
