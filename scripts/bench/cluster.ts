/**
 * Room: scripts (level 8). A run over several processes, for measures and for tests: starts the coordinator, waits for the line that
 * says how to join, starts the other hosts, reads their logs. Every wait has a deadline, every failure says which process said what,
 * and nothing that was started outlives `dispose`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { EndEvent, HostEndEvent, StepEvent } from '../../src/telemetry/events.ts';

/** A process and what it has said so far. */
export interface Program {
  readonly name: string;
  readonly child: ChildProcess;
  /** The first place of standard output that fits. Rejects when the process ends without it or at the deadline. */
  says(pattern: RegExp, deadlineMs: number): Promise<RegExpExecArray>;
  /** Standard output, once the process has ended with code 0. Rejects when it ends otherwise or at the deadline. */
  succeeds(deadlineMs: number): Promise<string>;
}

/** Follows a process whose outputs are pipes. */
export function follow(name: string, child: ChildProcess): Program {
  let [stdout, stderr] = ['', ''];
  child.stdout!.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const end = new Promise<number | NodeJS.Signals | null>((resolve, reject) => {
    child.once('error', reject).once('close', (code, signal) => resolve(code ?? signal));
  });
  // Whoever waits hears of a failure; that nobody does is no fault.
  end.catch(() => {});
  const failure = (what: string): Error => new Error(`Expected ${name} to ${what}; its output was:\n${`${stdout}${stderr}`.slice(-2000)}`);
  const says = (pattern: RegExp): Promise<RegExpExecArray> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const found = pattern.exec(stdout);
        if (!found) return;
        child.stdout!.off('data', look);
        resolve(found);
      };
      child.stdout!.on('data', look);
      look();
      end.then((code) => reject(failure(`say ${pattern}, but it ended with ${code}`)), reject);
    });
  const succeeds = async (): Promise<string> => {
    const code = await end;
    if (code !== 0) throw failure(`end with 0, not ${code}`);
    return stdout;
  };
  return {
    name,
    child,
    says: (pattern, deadlineMs) => within(deadlineMs, says(pattern), () => failure(`say ${pattern} within ${deadlineMs} ms`)),
    succeeds: (deadlineMs) => within(deadlineMs, succeeds(), () => failure(`end within ${deadlineMs} ms`)),
  };
}

async function within<T>(deadlineMs: number, promise: Promise<T>, late: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), deadlineMs);
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

/** How a program is started at a host: on this machine, or in a namespace. Its outputs must be pipes. */
export type Launch = (host: number, file: string, args: readonly string[]) => ChildProcess;

export interface ClusterOptions {
  readonly config: string;
  /** The coordinator, which is host 0, included. */
  readonly hosts: number;
  /** Further flags of a host: of `lockstep train` for host 0, of `lockstep join` for the others. */
  readonly flags: (host: number) => readonly string[];
  readonly launch?: Launch;
  /** The address by which a host reaches the coordinator, given the one that the coordinator prints. */
  readonly reach?: (host: number, url: string) => string;
  /** The command line's file. */
  readonly lockstep?: string;
  /** From the start of the coordinator to its line. */
  readonly startMs?: number;
}

/** What a host logged. */
export interface HostLog {
  /** Of each step. */
  readonly seconds: readonly number[];
  readonly end: EndEvent | HostEndEvent | undefined;
}

export interface Cluster {
  /** Host 0 is the coordinator. */
  readonly programs: readonly Program[];
  /** What a host has logged so far. */
  log(host: number): HostLog;
  /** The logs, once all processes have ended with code 0. */
  succeeds(deadlineMs: number): Promise<HostLog[]>;
  /** Kills what still runs and removes the logs. */
  dispose(): void;
}

const lockstepFile = fileURLToPath(new URL('../lockstep.js', import.meta.url));

export const launchHere: Launch = (_, file, args) => spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] });

/** Starts a run; resolves when all processes are started. */
export async function startCluster({
  config,
  hosts,
  flags,
  launch = launchHere,
  reach = (_, url) => url,
  lockstep = lockstepFile,
  startMs = 30_000,
}: ClusterOptions): Promise<Cluster> {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-cluster-'));
  const path = (host: number): string => join(folder, `${host}.jsonl`);
  const programs: Program[] = [];
  const begin = (host: number, ...args: readonly string[]): Program => {
    const child = launch(host, process.execPath, [lockstep, ...args, '--log', path(host), ...flags(host)]);
    const program = follow(host === 0 ? 'the coordinator' : `host ${host}`, child);
    programs.push(program);
    return program;
  };
  const log = (host: number): HostLog => (existsSync(path(host)) ? parseLog(readFileSync(path(host), 'utf8')) : parseLog(''));
  const dispose = (): void => {
    for (const { child } of programs) child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const coordinator = begin(0, 'train', config, '--listen', '127.0.0.1:0', '--min-hosts', String(hosts));
    const [, url] = await coordinator.says(/lockstep join (wss?:\/\/\S+)/, startMs);
    for (let host = 1; host < hosts; host++) begin(host, 'join', reach(host, url!));
  } catch (error) {
    dispose();
    throw error;
  }
  const succeeds = async (deadlineMs: number): Promise<HostLog[]> => {
    await Promise.all(programs.map((program) => program.succeeds(deadlineMs)));
    return programs.map((_, host) => log(host));
  };
  return { programs, log, succeeds, dispose };
}

/** Reads a log that may still grow: the last line counts when it is whole. */
export function parseLog(text: string): HostLog {
  const lines = text.split('\n').slice(0, -1);
  const events = lines.map((line) => JSON.parse(line) as StepEvent | NonNullable<HostLog['end']> | { readonly event: 'epoch' });
  return { seconds: events.flatMap((event) => (event.event === 'step' ? [event.seconds] : [])), end: events.find((event) => event.event === 'end') };
}
