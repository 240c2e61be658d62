/**
 * Room: scripts (level 8). What is done to a process from outside. What takes a while goes on by itself, and touches only the process that
 * it began with.
 */
import { type FSWatcher, watch } from 'node:fs';
import { join } from 'node:path';
import type { Cast, Slot } from './cast.ts';
import { heartbeatTimeout } from './cast.ts';
import type { OutsideFault } from './schedule.ts';

/** Longer than a silence is borne. */
const silenceMs = heartbeatTimeout * 1000 + 1500;
/** A slow host runs for a while and stands for a while, so often. */
const slowness = { bursts: 15, standsMs: 70, runsMs: 50 };
const guestStaysMs = 3000;
const retryMs = 5;

export class Strikes {
  readonly #cast: Cast;
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #watchers = new Set<FSWatcher>();
  #isOver = false;

  constructor(cast: Cast) {
    this.#cast = cast;
  }

  /** Does it; `done` is told when it has come about. */
  strike(fault: OutsideFault, slot: Slot, done: () => void): void {
    if (this.#isOver) return;
    const { current } = slot;
    if (fault.kind === 'writing') {
      this.#killWriting(slot, done);
      return;
    }
    done();
    switch (fault.kind) {
      case 'kill':
        current.kill('SIGKILL');
        return;
      case 'leave':
        current.kill('SIGTERM');
        return;
      case 'stop':
        current.signal('SIGSTOP');
        this.#after(silenceMs, () => current.signal('SIGCONT'));
        return;
      case 'slow':
        for (let burst = 0; burst < slowness.bursts; burst++) {
          const from = burst * (slowness.standsMs + slowness.runsMs);
          this.#after(from, () => current.signal('SIGSTOP'));
          this.#after(from + slowness.standsMs, () => current.signal('SIGCONT'));
        }
        return;
      case 'partition':
        for (const proxy of slot.proxies) proxy.freeze();
        this.#after(silenceMs, () => {
          for (const proxy of slot.proxies) proxy.thaw();
        });
        return;
      case 'cut':
        for (const proxy of slot.proxies) proxy.cut();
        return;
      case 'join': {
        const guest = this.#cast.invite();
        this.#after(guestStaysMs, () => guest.current.kill('SIGTERM'));
        return;
      }
      default:
        fault.kind satisfies never;
    }
  }

  /** Nothing more is done. */
  dispose(): void {
    this.#isOver = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const watcher of this.#watchers) watcher.close();
  }

  #after(ms: number, act: () => void): void {
    if (this.#isOver) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, ms);
    this.#timers.add(timer);
  }

  /** Kills who leads as soon as a checkpoint that is not finished is seen. */
  #killWriting(slot: Slot, done: () => void): void {
    try {
      const watcher = watch(join(this.#cast.runDirectory, 'checkpoints'), (_, name) => {
        if (!name?.startsWith('.step-') || !name.endsWith('.tmp')) return;
        slot.current.kill('SIGKILL');
        watcher.close();
        this.#watchers.delete(watcher);
        done();
      });
      this.#watchers.add(watcher);
    } catch {
      // There is no folder before the first checkpoint.
      this.#after(retryMs, () => this.#killWriting(slot, done));
    }
  }
}
