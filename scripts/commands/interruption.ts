/**
 * Room: scripts (level 8). Signals that ask a command to end.
 */

interface Interruption {
  readonly signal: AbortSignal;
  /** There are no more steps: what comes is taken without a word. */
  readonly rest: () => void;
  readonly release: () => void;
}

/** SIGINT and SIGTERM end the run after its step; a second one ends the process at once. */
export function interruption(say: (text: string) => void): Interruption {
  let steps = true;
  const controller = new AbortController();
  const onSignal = (): void => {
    if (controller.signal.aborted) process.exit(130);
    if (steps) say('stopping after this step; once more to stop at once');
    controller.abort();
  };
  const signals = ['SIGINT', 'SIGTERM'] as const;
  for (const name of signals) process.on(name, onSignal);
  return {
    signal: controller.signal,
    rest: () => {
      steps = false;
    },
    release: () => {
      for (const name of signals) process.off(name, onSignal);
    },
  };
}
