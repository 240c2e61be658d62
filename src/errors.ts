/**
 * Room: errors (level 0). The closed list of everything that can go wrong, and the one class that carries it.
 * It promises a stable `code` to match on (classes do not survive threads) and a message of one sentence: the rule, what
 * was received, the mend. It never prints and never exits.
 */

/** Every code with its meaning and the exit code of the command line: 2 wrong usage or config, 1 a failed run. */
export const errorCodes = {
  LOCKSTEP_USAGE: { exit: 2, meaning: 'An argument of the command line or of a function is not what it must be.' },
  LOCKSTEP_CONFIG: { exit: 2, meaning: 'The run configuration breaks one or more rules of its schema.' },
  LOCKSTEP_SHAPE: { exit: 2, meaning: 'Layers, data and weights do not fit each other in shape.' },
  LOCKSTEP_FILE: { exit: 2, meaning: 'A file named by the user is missing or cannot be read.' },
  LOCKSTEP_DATA: { exit: 2, meaning: 'A data file or array is malformed, truncated or out of range.' },
  LOCKSTEP_WEIGHTS: { exit: 2, meaning: 'A weights file is malformed or does not belong to the model.' },
  LOCKSTEP_MEMORY: { exit: 2, meaning: 'The run does not fit the 4 GiB arena of a host.' },
  LOCKSTEP_KERNELS: { exit: 2, meaning: 'The kernel set that was asked for cannot be had on this machine.' },
  LOCKSTEP_NON_FINITE: { exit: 1, meaning: 'Loss or gradient stopped being finite and the policy says halt.' },
  LOCKSTEP_NETWORK: { exit: 1, meaning: 'A connection between hosts could not be made or kept.' },
  LOCKSTEP_RANK_FAILED: { exit: 1, meaning: 'A rank broke a rule, or ranks died until none was left to go on with; the model keeps the weights it came with.' },
  LOCKSTEP_STATE: { exit: 1, meaning: 'A rank died in an update that nobody can finish, or its thread cannot be ended: the state in memory is lost.' },
  LOCKSTEP_CHECKPOINT: { exit: 1, meaning: 'A checkpoint could not be written, or is damaged.' },
  LOCKSTEP_PROTOCOL: { exit: 1, meaning: 'A peer sent what the protocol does not allow.' },
  LOCKSTEP_VERSION: { exit: 1, meaning: 'A peer speaks another version of the protocol.' },
  LOCKSTEP_INTERNAL: { exit: 1, meaning: 'A promise inside Lockstep was broken: a defect to report.' },
} as const;

export type ErrorCode = keyof typeof errorCodes;

export class LockstepError extends Error {
  override readonly name = 'LockstepError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** True for our own errors, also after they crossed a thread boundary and lost their class. */
export function isLockstepError(value: unknown): value is LockstepError {
  return value instanceof Error && 'code' in value && typeof value.code === 'string' && Object.hasOwn(errorCodes, value.code);
}
