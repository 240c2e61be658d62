/**
 * Room: cluster (level 7). How a host's session with a coordinator ends, and whether another one may go better.
 */
import { type ErrorCode, isLockstepError } from '../src/errors.ts';
import { Refusal, type RefusalReason } from './transport/refusal.ts';

export type SessionEnd =
  | { readonly kind: 'released'; readonly message: string }
  | { readonly kind: 'lost'; readonly reason: string; readonly refusal: Refusal | undefined }
  | { readonly kind: 'failed'; readonly error: unknown };

/** What a host that gives up says is in the way. */
const reasons: Partial<Record<ErrorCode, RefusalReason>> = {
  LOCKSTEP_DATA: 'data',
  LOCKSTEP_FILE: 'data',
  LOCKSTEP_KERNELS: 'numerics',
  LOCKSTEP_PROTOCOL: 'protocol',
};

/** Why the host refuses to go on, in the words of the wire; undefined for an error that is none of Lockstep's. */
export function refusalOf(error: unknown): { readonly reason: RefusalReason; readonly message: string } | undefined {
  if (!isLockstepError(error)) return undefined;
  return { reason: error instanceof Refusal ? error.reason : (reasons[error.code] ?? 'failure'), message: error.message };
}

/** Throws mistakes that another attempt would only repeat. A host whose state is lost comes back without it. */
export function throwIfFinal(end: SessionEnd): void {
  if (end.kind === 'failed' && !(isLockstepError(end.error) && end.error.code === 'LOCKSTEP_STATE')) throw end.error;
  if (end.kind === 'lost' && end.refusal?.final) throw end.refusal;
}
