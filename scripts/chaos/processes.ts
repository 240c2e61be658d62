/**
 * Room: scripts (level 8). The processes of a run: each writes to files of its own in the run's folder, which stay when something is wrong,
 * and none outlives the harness, however it ends.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { InsideFault } from './schedule.ts';
import { Tail } from './tail.ts';

const lockstep = fileURLToPath(new URL('../lockstep.js', import.meta.url));

const living = new Set<ChildProcess>();
// The last word, for ends of the harness that nobody foresaw.
process.on('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class Started {
  readonly name: string;
  readonly child: ChildProcess;
  /** Where its events go. */
  readonly log: string;
  /** What it says. */
  readonly output: string;
  /** The fault that its environment asked for. */
  readonly carries: InsideFault | undefined;
  /** What it says on standard output. */
  readonly #said: Tail;
  exit: Exit | undefined;
  readonly ended: Promise<void>;
  /** True once it is to go because of something that was done to it. */
  doomed = false;

  constructor(folder: string, name: string, args: readonly string[], carries: InsideFault | undefined, metrics = 'off') {
    this.name = name;
    this.carries = carries;
    this.log = join(folder, `${name}.jsonl`);
    const { LOCKSTEP_FAULT: _, ...env } = process.env;
    const fault = carries && { rank: carries.rank, step: carries.at, phase: carries.phase, kind: carries.kind, times: 1 };
    this.output = join(folder, `${name}.out`);
    const files = [this.output, join(folder, `${name}.err`)].map((path) => openSync(path, 'w'));
    this.child = spawn(process.execPath, [lockstep, ...args, '--log', this.log, '--metrics', metrics], {
      stdio: ['ignore', ...files],
      env: { ...env, NO_COLOR: '1', ...(fault && { LOCKSTEP_FAULT: JSON.stringify(fault) }) },
    });
    for (const file of files) closeSync(file);
    this.#said = new Tail(this.output);
    living.add(this.child);
    this.ended = new Promise((resolve) => {
      const end = (code: number | null, signal: NodeJS.Signals | null): void => {
        living.delete(this.child);
        this.exit ??= { code, signal };
        resolve();
      };
      this.child.once('exit', end).once('error', () => end(null, null));
    });
  }

  /** What it said since the last time. */
  news(): string[] {
    return this.#said.lines();
  }

  signal(name: NodeJS.Signals): void {
    if (!this.exit) this.child.kill(name);
  }

  /** Signals that end it, though it be stopped. */
  kill(name: 'SIGKILL' | 'SIGTERM'): void {
    this.doomed = true;
    this.signal(name);
  }
}

/** Ports of this machine that nobody listens on now. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => new Promise((resolve) => server.once('listening', resolve))));
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === 'object' && address ? address.port : 0;
  });
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
