/**
 * Room: scripts (level 8). A run of three processes that stay, and guests that join and leave all the time; what those who stay hold is looked at
 * whenever no guest is there.
 */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { freePorts, Started } from '../chaos/processes.ts';
import { shards, writeRecipe } from '../chaos/recipe.ts';
import { StepWatch } from '../chaos/tail.ts';
import { type Sample, sample } from './sample.ts';

/** All there are: what a run remembers of each of its epochs is no leak, but with short ones it would look like one. */
const samples = 60_000;
/** A guest comes and goes in each. */
const cycleMs = 5000;
const stayMs = 3000;
/** Every so many guests, one is killed and says no goodbye. */
const killEvery = 4;
const endMs = 60_000;

export interface SoakOrder {
  readonly minutes: number;
  readonly folder: string;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

export interface Soaked {
  readonly guests: number;
  readonly steps: number;
  /** By process that stayed. */
  readonly samples: ReadonlyMap<string, readonly Sample[]>;
  /** What went wrong beside that. */
  readonly wrong: readonly string[];
}

/** Rejects when `signal` is aborted; no process is left in any case. */
export async function soak({ minutes, folder, say, signal }: SoakOrder): Promise<Soaked> {
  const config = writeRecipe(folder, samples);
  const [port, ...metrics] = (await freePorts(4)) as [number, number, number, number];
  const started: Started[] = [];
  const begin = (name: string, args: readonly string[], metricsPort?: number): Started => {
    const one = new Started(folder, name, args, undefined, metricsPort === undefined ? 'off' : `127.0.0.1:${metricsPort}`);
    started.push(one);
    return one;
  };
  const hostArgs = (name: string): string[] => ['join', `ws://127.0.0.1:${port}`, '--workers', '1', '--name', name, '--cache-dir', join(folder, 'cache')];
  const runArgs = ['--workers', '1', '--shards', String(shards), '--epochs', '1000000', '--listen', `127.0.0.1:${port}`, '--min-hosts', '3'];
  const keptArgs = ['--run-dir', join(folder, 'run'), '--checkpoint-every', '10s'];
  try {
    const leader = begin('leader', ['train', config, ...runArgs, ...keptArgs], metrics[0]);
    const staying = new Map([['leader', leader]]);
    for (const [i, name] of ['first', 'second'].entries()) staying.set(name, begin(name, hostArgs(name), metrics[i + 1]));
    const samples = new Map([...staying.keys()].map((name): [string, Sample[]] => [name, []]));
    const watch = new StepWatch();
    watch.follow(leader.log);
    const wrong: string[] = [];
    const ended = (): string[] =>
      [...staying].filter(([, { exit }]) => exit).map(([name]) => `${name} ended by itself: ${readFileSync(join(folder, `${name}.err`), 'utf8').trim()}`);
    while (watch.step === 0 && ended().length === 0) {
      watch.look(performance.now());
      await pause(50, undefined, { signal });
    }
    wrong.push(...ended());
    const until = performance.now() + 60_000 * minutes;
    let guests = 0;
    let told = 0;
    while (performance.now() < until && wrong.length === 0) {
      const cycle = performance.now();
      if (ended().length > 0) break;
      for (const [i, [name, { child }]] of [...staying].entries()) samples.get(name)!.push(await sample(child.pid!, metrics[i]!));
      const guest = begin(`guest-${guests++}`, hostArgs('guest'));
      await pause(stayMs, undefined, { signal });
      guest.kill(guests % killEvery === 0 ? 'SIGKILL' : 'SIGTERM');
      await guest.ended;
      const before = watch.step;
      await pause(Math.max(0, cycle + cycleMs - performance.now()), undefined, { signal });
      watch.look(performance.now());
      wrong.push(...ended());
      if (watch.step === before) wrong.push(`no step was committed for ${Math.round((performance.now() - cycle) / 1000)} s after step ${before}`);
      if (performance.now() > told + 60_000) {
        told = performance.now();
        say(`${guests} guests, step ${watch.step}: ${[...samples].map(([name, all]) => `${name} ${Math.round(all.at(-1)!.rss)} MiB`).join(', ')}`);
      }
    }
    leader.signal('SIGTERM');
    const late = pause(endMs, 'late');
    if ((await Promise.race([Promise.all([...staying.values()].map((one) => one.ended)), late])) === 'late') wrong.push('not all processes ended');
    for (const [name, { exit }] of staying) if (exit?.code !== 0) wrong.push(`${name} ended with ${exit?.code ?? exit?.signal ?? 'nothing'}`);
    for (const left of [port, ...metrics]) if (await isOpen(left)) wrong.push(`port ${left} is taken still`);
    return { guests, steps: watch.step, samples, wrong };
  } finally {
    for (const one of started) one.kill('SIGKILL');
    await Promise.all(started.map((one) => one.ended));
  }
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    }).once('error', () => resolve(false));
  });
}
