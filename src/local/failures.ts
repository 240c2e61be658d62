/**
 * Room: local (level 6). Ranks that died: how that is told, and what follows from how often it happened.
 */
import { type ErrorCode, LockstepError } from '../errors.ts';
import type { Arena } from '../memory/arena.ts';
import type { RunPlan } from '../model/plan.ts';
import { type Phase, phases } from '../telemetry/timing.ts';
import { noStep } from '../train/loop.ts';
import type { RankOutcome } from './task.ts';

/** The death of a rank, and where it was. */
export interface RankFailure {
  readonly rank: number;
  /** 0 while it started, `noStep` in an evaluation. */
  readonly step: number;
  readonly phase: Phase;
  readonly layer?: string;
  /** Of an error that Lockstep itself threw in it. */
  readonly code: ErrorCode | undefined;
  readonly message: string;
  readonly stack: string | undefined;
}

/** What `rank` failed of, and where it was by the words that it wrote last. */
export function failureOf({ i32 }: Arena, plan: RunPlan, rank: number, { code, message, stack }: Extract<RankOutcome, { kind: 'failed' }>): RankFailure {
  const at = plan.ranks[rank]!.progress >>> 2;
  const [step, phase, layer] = [i32[at]!, i32[at + 1]!, i32[at + 2]!];
  const layerName = plan.topology.layers[layer]?.name;
  return { rank, step, phase: phases[phase] ?? 'data', ...(layerName !== undefined && { layer: layerName }), code, message, stack };
}

/** "Rank 1 failed in phase forward of layer `dense` at step 7: worker exited with code: 3", for a sentence that goes on. */
export function describeFailure({ rank, step, phase, layer, message }: RankFailure): string {
  const ofLayer = layer === undefined ? '' : ` of layer \`${layer}\``;
  const reason = message.replace(/\.$/, '');
  if (step === 0) return `Rank ${rank} failed while it started: ${reason}`;
  const when = step === noStep ? 'of an evaluation' : `at step ${step}`;
  return `Rank ${rank} failed in phase ${phase}${ofLayer} ${when}: ${reason}`;
}

/** The end of a run, because of `failure`. */
export function failureError(failure: RankFailure, outcome: string): LockstepError {
  const cause = new Error(failure.message);
  if (failure.stack !== undefined) cause.stack = failure.stack;
  const end = failure.step === 0 ? 'the run did not begin' : failure.step === noStep ? 'the run ended there' : outcome;
  return new LockstepError(failure.code ?? 'LOCKSTEP_RANK_FAILED', `${describeFailure(failure)}; ${end}.`, { cause });
}

/** The end of a run: a thread that was ended is still there. */
export function heldError(failure: RankFailure | undefined): LockstepError {
  const what = failure ? describeFailure(failure) : 'A rank was stuck';
  return new LockstepError(
    'LOCKSTEP_STATE',
    `${what}, but a call into the system that does not return holds its thread; go on from a checkpoint with --resume in another process.`,
  );
}

/** So many failures of one rank in so many steps, and it is not trusted any more. */
export const patience = { failures: 3, steps: 10 } as const;

/** Which ranks failed lately. */
export class FailureRecord {
  #failures: readonly { readonly rank: number; readonly step: number }[] = [];

  /** Takes note of a failure of `rank` after the committed step `step`; true when it is to be evicted. */
  note(rank: number, step: number): boolean {
    this.#failures = [...this.#failures.filter((failure) => failure.step > step - patience.steps), { rank, step }];
    return this.#failures.filter((failure) => failure.rank === rank).length >= patience.failures;
  }

  /** Ranks are numbered anew. */
  forget(): void {
    this.#failures = [];
  }
}
