/**
 * Room: scripts (level 8). A file that another process writes, as far as it is whole lines; and the steps of a run that its logs tell, with
 * the moments at which they were seen.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import type { EndEvent, RunEvent } from '../../src/telemetry/events.ts';

/** For all, as nothing is kept in it. */
const chunk = Buffer.alloc(64 * 1024);

export class Tail {
  readonly #path: string;
  #read = 0;
  #rest = '';

  constructor(path: string) {
    this.#path = path;
  }

  /** The lines that came since the last time. None while there is no file. */
  lines(): string[] {
    let file: number;
    try {
      file = openSync(this.#path, 'r');
    } catch {
      return [];
    }
    try {
      for (let count = 1; count > 0; ) {
        count = readSync(file, chunk, 0, chunk.length, this.#read);
        this.#read += count;
        // Nothing but ASCII is looked for.
        this.#rest += chunk.toString('latin1', 0, count);
      }
    } finally {
      closeSync(file);
    }
    const lines = this.#rest.split('\n');
    this.#rest = lines.pop()!;
    return lines;
  }
}

export class StepWatch {
  #tail: Tail | undefined;
  #step = 0;
  #end: EndEvent | undefined;
  /** Moments, in ms, at which the run was seen to be further than ever. */
  readonly advances: number[] = [];

  /** The process that leads now writes here. */
  follow(log: string): void {
    this.#tail = new Tail(log);
  }

  /** The last step that was committed. */
  get step(): number {
    return this.#step;
  }

  get end(): EndEvent | undefined {
    return this.#end;
  }

  look(now: number): void {
    const before = this.#step;
    for (const line of this.#tail?.lines() ?? []) {
      const event = JSON.parse(line) as RunEvent;
      if (event.event === 'step') this.#step = Math.max(this.#step, event.step);
      else if (event.event === 'end') this.#end = event;
    }
    if (this.#step > before) this.advances.push(now);
  }

  /** The longest time without a step that a moment of [from, to] fell into, ms. */
  longestGap(from: number, to: number): number {
    let longest = 0;
    for (let i = 1; i < this.advances.length; i++) {
      const [before, after] = [this.advances[i - 1]!, this.advances[i]!];
      if (after >= from && before <= to) longest = Math.max(longest, after - before);
    }
    return longest;
  }
}
