/**
 * Room: scripts (level 8). Signals that ask a command to end.
 */

/** SIGINT and SIGTERM end the run after its step; a second one ends the process at once. */
export function interruption(say: (text: string) => void): { signal: AbortSignal; release: () => void } {
  const controller = new AbortController();
  const onSignal = (): void => {
    if (controller.signal.aborted) process.exit(130);
    say('stopping after this step; once more to stop at once');
    controller.abort();
  };
  const signals = ['SIGINT', 'SIGTERM'] as const;
  for (const name of signals) process.on(name, onSignal);
  return {
    signal: controller.signal,
    release: () => {
      for (const name of signals) process.off(name, onSignal);
    },
  };
}
