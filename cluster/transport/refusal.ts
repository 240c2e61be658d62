/**
 * Room: cluster (level 7), transport. Why one side will not talk to the other: a closed list of reasons, bounded because it
 * labels a metric, and the error that carries one. Whoever handles a message throws a `Refusal` to close its link with it.
 */
import { LockstepError } from '../../src/errors.ts';

/** Every reason with its meaning. */
const refusalReasons = {
  token: 'The proof of the token is wrong or missing, or there is one where none is expected.',
  version: 'The other side speaks another version of the protocol.',
  protocol: 'What came is no WebSocket, no message of the protocol, or not the one whose turn it is.',
  size: 'What came is longer than it may be.',
  timeout: 'Nothing came in time.',
  connections: 'There are as many connections as there may be.',
  model: 'The other side has another model.',
  numerics: 'The other side computes other bits.',
  data: 'The other side has other data.',
  stale: 'The other side speaks of a generation that is over.',
  failure: 'A rank of the other side failed.',
  address: 'The other side cannot be reached, or is not who belongs to its address.',
} as const;

export type RefusalReason = keyof typeof refusalReasons;

/** How often each reason was given before anybody was refused: a counter that begins at 0 is seen to grow. */
export const noRefusals: Readonly<Record<string, number>> = Object.fromEntries(Object.keys(refusalReasons).map((reason) => [reason, 0]));

/** What another attempt may find changed; all other reasons stand until somebody changes a file or an argument. */
const passing: ReadonlySet<RefusalReason> = new Set(['timeout', 'connections', 'stale']);

/** One side refused the other: the sentence that both know, and whether this side or the other one said it. */
export class Refusal extends LockstepError {
  readonly reason: RefusalReason;
  readonly by: 'us' | 'peer';

  constructor(reason: RefusalReason, message: string, by: 'us' | 'peer' = 'us') {
    super('LOCKSTEP_NETWORK', message);
    this.reason = reason;
    this.by = by;
  }

  /** True when trying again is of no use. */
  get final(): boolean {
    return !passing.has(this.reason);
  }
}

/** A reason as it came over the wire: another version of Lockstep may have words that this one lacks. */
export function reasonFrom(word: string): RefusalReason {
  return Object.hasOwn(refusalReasons, word) ? (word as RefusalReason) : 'protocol';
}
