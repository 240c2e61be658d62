/**
 * Room: cluster (level 7). What happened to a run's membership so far, counted for those who watch: it sees every event with what followed from it and
 * decides nothing.
 */
import type { Effect, RunState } from './membership/state.ts';

/** Hosts of which timeouts are still told. */
const mostTimeouts = 8;

export class Chronicle {
  readonly changes = { joined: 0, left: 0, lost: 0 };
  readonly recoverySeconds: number[] = [];
  readonly timeouts: { readonly host: string; readonly phase: string; count: number }[] = [];
  replayedSteps = 0;
  /** Whether what is obeyed now are steps. */
  trains = false;
  #recoversSince: number | undefined;

  /** `before` became `after` with these effects at the time `now`, in ms. */
  note(before: RunState, after: RunState, effects: readonly Effect[], now: number): void {
    for (const host of before.hosts) {
      if ((host.phase !== 'member' && host.phase !== 'leaving') || after.hosts.some(({ id }) => id === host.id)) continue;
      if (effects.some((effect) => effect.kind === 'release' && effect.id === host.id)) this.changes.left++;
      else {
        this.changes.lost++;
        this.#recoversSince ??= now;
      }
    }
    for (const effect of effects) {
      if (effect.kind === 'recall') {
        this.#recoversSince ??= now;
        if (this.trains) this.replayedSteps++;
      } else if (effect.kind === 'startWork' && this.#recoversSince !== undefined) {
        this.recoverySeconds.push((now - this.#recoversSince) / 1000);
        this.#recoversSince = undefined;
      } else if (effect.kind === 'newGeneration') {
        const joined = effect.members.filter(({ id }) => id !== 0 && !before.members.includes(id));
        this.changes.joined += joined.length;
      }
    }
  }

  /** A host was given up for its silence, last seen in `phase`. */
  timedOut(host: string, phase: string): void {
    const known = this.timeouts.find((timeout) => timeout.host === host && timeout.phase === phase);
    if (known) known.count++;
    else this.timeouts.push({ host, phase, count: 1 });
    if (this.timeouts.length > mostTimeouts) this.timeouts.shift();
  }
}
