/**
 * Room: scripts (level 8). Options by which a process is watched, and what they come to.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename } from 'node:path';
import { InvalidArgumentError, Option } from 'commander';
import { rowsPerStep } from '../../src/config/resolve.ts';
import type { RunConfig } from '../../src/config/run.ts';
import { Monitor, type MonitorOptions, type WatchedRun } from '../../src/local/monitor.ts';
import type { RunStart } from '../../src/local/train.ts';
import type { Model } from '../../src/model/model.ts';
import type { RunFacts } from '../../src/telemetry/registry.ts';
import { type Place, place } from './cluster-options.ts';

export interface MonitorFlags {
  readonly metrics: Place | 'off';
  /** Milliseconds. */
  readonly linger?: number;
}

type Settings = Pick<RunConfig, 'batchSize' | 'gradientAccumulationSteps' | 'optimizer' | 'loss'>;

/** Prometheus' port for metrics of programs in general. */
const usual: Place = { host: '127.0.0.1', port: 9464 };

export function monitorOptions(): Option[] {
  return [
    new Option('--metrics <host:port>', 'where Prometheus metrics and the live page are, or `off`')
      .argParser((text) => (text === 'off' ? text : place(text)))
      .default(usual, `${usual.host}:${usual.port}`),
    new Option('--linger <time>', 'keep them there so long after the end, such as 30s or 2m').argParser(milliseconds),
  ];
}

/** Of `30s`, `2m`, `1h` or a number of seconds. */
function milliseconds(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(s|m|h)?$/.exec(text);
  const unit = { s: 1000, m: 60_000, h: 3_600_000 }[match?.[2] ?? 's']!;
  const result = Number(match?.[1]) * unit;
  // A timer of Node's takes no longer times.
  if (!match || result >= 2 ** 31) throw new InvalidArgumentError('Expected a time such as 30s, 2m or 1h.');
  return result;
}

/** Opens the endpoint unless it is off, and says where it is. */
export async function openMonitor({ metrics }: MonitorFlags, identity: MonitorOptions['identity'], say: (text: string) => void): Promise<Monitor | undefined> {
  if (metrics === 'off') return undefined;
  const monitor = await Monitor.open({ ...metrics, identity });
  if (metrics.port !== 0 && monitor.port !== metrics.port) say(`port ${metrics.port} is taken`);
  say(`live page and metrics at ${urlOf(monitor)}`);
  return monitor;
}

function urlOf({ host, port }: Monitor): string {
  const shown = host === '0.0.0.0' || host === '::' ? 'localhost' : host;
  return `http://${shown.includes(':') ? `[${shown}]` : shown}:${port}/`;
}

/** By which others reach the metrics of this process: where it calls from, unless only this machine reaches them. */
export function reachableAt(monitor: Monitor | undefined): string {
  if (!monitor) return '';
  return /^(127\.|::1$)/.test(monitor.host) ? `127.0.0.1:${monitor.port}` : `:${monitor.port}`;
}

/** A name that people recognise and no other run has. */
export function runName(path: string, now: Date): string {
  const when = now.toISOString().replace(/[-:]|\..*$/g, '');
  return `${basename(path).replace(/\.[^.]*$/, '')}-${when}-${randomBytes(2).toString('hex')}`;
}

function factsOf(settings: Settings, start: RunStart, topology: string, checkpoints: boolean): RunFacts {
  const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as { version: string };
  const { optimizer, loss } = settings;
  const { kernels, shards, steps, stepsPerEpoch } = start;
  const kind = (['globalClipnorm', 'clipnorm', 'clipvalue'] as const).find((key) => optimizer[key]);
  const labels = {
    version,
    kernels: kernels.set,
    topology,
    shards: String(shards),
    batch_size: String(rowsPerStep(settings)),
    optimizer: optimizer.type,
    loss: typeof loss === 'string' ? loss : loss.type,
  };
  return { labels, targetSteps: steps, stepsPerEpoch, checkpoints, ...(kind && { clip: { kind, threshold: optimizer[kind]! } }) };
}

/** A run of this process, for those who watch. */
export function watchedRun(name: string, model: Model, settings: Settings, start: RunStart, topology: string, checkpoints: boolean): WatchedRun {
  const facts = factsOf(settings, start, topology, checkpoints);
  const { kernels, steps: targetSteps, stepsPerEpoch } = start;
  const live = {
    run: name,
    host: hostname(),
    layers: model.topology.layers.map((layer) => layer.name),
    parameters: model.countParams().total,
    kernels: kernels.set,
    targetSteps,
    stepsPerEpoch,
    ...(facts.clip && facts.clip.kind !== 'clipvalue' && { clipThreshold: facts.clip.threshold }),
  };
  return { facts, live };
}

/** A run that failed says so, and stays to be looked at as long as one that is done. */
export async function lingerFailed(
  monitor: Monitor | undefined,
  error: unknown,
  ms: number | undefined,
  signal: AbortSignal,
  say: (text: string) => void,
): Promise<void> {
  await monitor?.end('failed');
  // What is printed of the error at the end of the process would come late.
  if (monitor && ms && !signal.aborted) say(`failed: ${error instanceof Error ? error.message : String(error)}`);
  await linger(monitor, ms, signal, say);
}

/** Resolves after the time to linger, or when the signal is aborted. */
export async function linger(monitor: Monitor | undefined, ms: number | undefined, signal: AbortSignal, say: (text: string) => void): Promise<void> {
  if (!monitor || !ms || signal.aborted) return;
  say(`the page and the metrics stay for ${ms / 1000} s; Ctrl-C ends that`);
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
