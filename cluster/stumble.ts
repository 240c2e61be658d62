/**
 * Room: cluster (level 7). What one process of several tells of a rank that died. What becomes of the run is decided by the coordinator, as
 * after a lost host.
 */
import { describeFailure } from '../src/local/failures.ts';
import { evictedFor, type Mended } from '../src/local/mending.ts';
import { noStep } from '../src/train/loop.ts';
import { printable } from './wire/printable.ts';

export interface Stumble {
  readonly sentence: string;
  /** Ranks that go on. */
  readonly workers: number;
}

/** Of a process that goes on with `workers` ranks. */
export function stumbleOf(mended: Mended, workers: number): Stumble {
  return { sentence: printable(`${describeFailure(mended.failure)}; ${remedy(mended)}`), workers };
}

function remedy({ failure, step, evicted }: Mended): string {
  if (evicted) return evictedFor;
  if (failure.step === noStep || failure.step === 0) return 'it is started again';
  return `step ${failure.step} was ${step < failure.step ? 'forgotten' : 'finished'} here, and it is started again`;
}
