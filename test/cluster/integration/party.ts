/**
 * Room: tests of the cluster, integration. Runs of several real processes on this machine: a coordinator, hosts that join it, and
 * hand-made peers. Everything is killed when its test ends; every wait is for a state and has a deadline.
 */
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { follow, type Launch, launchHere, type Program } from '../../../scripts/bench/cluster.ts';
import type { EndEvent, RunEvent } from '../../../src/telemetry/events.ts';
import { lockstep, pictures, program, config as smallRun } from '../../scripts/command.ts';

/** No single thing that is waited for takes longer, on the slowest machine. */
export const deadlineMs = 60_000;

/** Normalisation first and in the middle, and dropout: all that depends on who computes what. */
const model = {
  layers: [
    { type: 'flatten' },
    { type: 'batchNormalization' },
    { type: 'dense', units: 24, activation: 'elu' },
    { type: 'batchNormalization' },
    { type: 'dropout', rate: 0.2 },
    { type: 'dense', units: 3, activation: 'softmax' },
  ],
};

/** A folder with a run: data of which the last batch has 3 rows for 4 shards, a config, a token. */
export interface Recipe {
  readonly folder: string;
  readonly config: string;
  readonly token: string;
  readonly secret: string;
  /** The SHA-256 of the weights after so many steps, of one process with four workers. Computed once. */
  sha(steps: number): Promise<string>;
}

/** The run of a test file; its folder goes when the tests end. */
export function recipe(changes: object = {}): Recipe {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-party-'));
  test.after.always(() => rmSync(folder, { recursive: true, force: true }));
  writeData(folder);
  const [config, token, secret] = [join(folder, 'run.json'), join(folder, 'token'), 'a secret of this test'];
  writeFileSync(token, `${secret}\n`);
  writeFileSync(config, JSON.stringify({ ...smallRun, model, shards: 4, seed: 7, ...changes }));
  const known = new Map<number, Promise<string>>();
  const measure = async (steps: number): Promise<string> => {
    const log = join(folder, `alone-${steps}.jsonl`);
    const { code, stderr } = await lockstep('train', config, '--workers', '4', '--steps', String(steps), '--log', log, '--quiet');
    if (code !== 0) throw new Error(stderr);
    return endOf(log).weightsSha256;
  };
  const sha = (steps: number): Promise<string> => {
    if (!known.has(steps)) known.set(steps, measure(steps));
    return known.get(steps)!;
  };
  return { folder, config, token, secret, sha };
}

/** 203 pictures to train on and 30 to judge by. */
export function writeData(folder: string, seed = 1): void {
  for (const [name, rows] of [
    ['train', 203],
    ['test', 30],
  ] as const) {
    const { images, labels } = pictures(rows, seed + rows);
    writeFileSync(join(folder, `${name}-images`), images);
    writeFileSync(join(folder, `${name}-labels`), labels);
  }
}

function eventsOf(log: string): RunEvent[] {
  if (!existsSync(log)) return [];
  const lines = readFileSync(log, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as RunEvent);
}

function endOf(log: string): EndEvent {
  const end = eventsOf(log).at(-1);
  if (end?.event !== 'end') throw new Error(`Expected ${log} to end with the end of the run.`);
  return end;
}

/** A coordinator that listens, and who joins it. */
export interface Party {
  readonly coordinator: Program;
  /** ws://HOST:PORT of the coordinator. */
  readonly url: string;
  /** The folder of this run, where hosts have their caches. */
  readonly folder: string;
  /** Starts a host. */
  join(name: string, ...flags: string[]): Program;
  /** Resolves when the coordinator has logged this step. */
  reaches(step: number): Promise<void>;
  /** Resolves when so many more steps were logged than are now. */
  advances(steps: number): Promise<void>;
  /** The last step that was logged. */
  readonly step: number;
  /** What the coordinator said, once the run has ended with code 0 and the weights of one process alone. */
  done(t: ExecutionContext): Promise<string>;
  /** Ends a run that goes on and on, and is `done`. */
  finish(t: ExecutionContext): Promise<string>;
}

export interface PartyOptions {
  readonly workers: number;
  /** By default the run goes on until `finish`. */
  readonly steps?: number;
  readonly flags?: readonly string[];
  readonly launch?: Launch;
  readonly listen?: string;
  /** The address by which hosts reach the coordinator, given the one that it prints. */
  readonly reach?: (url: string) => string;
}

/** Starts a coordinator; resolves when it listens. */
export async function party(t: ExecutionContext, recipe: Recipe, options: PartyOptions): Promise<Party> {
  const { workers, steps = 1_000_000, flags = [], launch = launchHere, listen = '127.0.0.1:0', reach = (url) => url } = options;
  const { config, token } = recipe;
  const folder = mkdtempSync(join(recipe.folder, 'party-'));
  const log = join(folder, 'log.jsonl');
  let hosts = 0;
  const begin = (name: string, ...args: readonly string[]): Program => {
    const started = follow(name, launch(hosts++, process.execPath, [program, ...args]));
    t.teardown(() => started.child.kill('SIGKILL'));
    return started;
  };
  const always = ['--listen', listen, '--token-file', token, '--workers', String(workers), '--steps', String(steps), '--log', log];
  const coordinator = begin('the coordinator', 'train', config, ...always, ...flags);
  const [, printed] = await coordinator.says(/lockstep join (wss?:\/\/\S+)/, deadlineMs);
  const url = reach(printed!);
  const lastStep = (): number => eventsOf(log).findLast((event) => event.event === 'step')?.step ?? 0;
  const reaches = (step: number): Promise<void> => until(`step ${step}`, () => lastStep() >= step);
  const done = async (t: ExecutionContext): Promise<string> => {
    const output = await coordinator.succeeds(deadlineMs);
    const end = endOf(log);
    t.is(end.weightsSha256, await recipe.sha(end.steps));
    return output;
  };
  return {
    coordinator,
    url,
    folder,
    join: (name, ...more) => begin(name, 'join', url, '--name', name, '--token-file', token, '--cache-dir', join(folder, name), ...more),
    reaches,
    advances: (count) => reaches(lastStep() + count),
    get step() {
      return lastStep();
    },
    done,
    finish: async (t) => {
      coordinator.child.kill('SIGTERM');
      return await done(t);
    },
  };
}

/** Waits for a state that others bring about. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = performance.now() + deadlineMs; !(await holds()); await pause(5)) {
    if (performance.now() > deadline) throw new Error(`Expected ${what} within ${deadlineMs} ms.`);
  }
}

/** A pattern for this text and no other. */
export function literally(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}

/** A port of this machine that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
