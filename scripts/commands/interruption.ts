/**
 * Room: scripts (level 8). Signals that ask a command to end.
 */

const signals = ['SIGINT', 'SIGTERM'] as const;

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
  const release = (): void => {
    for (const name of signals) process.off(name, onSignal);
  };
  const onSignal = (): void => {
    if (controller.signal.aborted) {
      // It waits for a thread that is in a call which does not return: then a third signal finds nobody who handles it, and ends the process.
      release();
      process.exit(130);
    }
    if (steps) say('stopping after this step; once more to stop at once');
    controller.abort();
  };
  for (const name of signals) process.on(name, onSignal);
  return {
    signal: controller.signal,
    rest: () => {
      steps = false;
    },
    release,
  };
}
