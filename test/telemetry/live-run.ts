/** Room: tests of telemetry. A run that never was, for tests of the live page: the same numbers each time, as a real run could tell them. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { StepEvent } from '../../src/telemetry/events.ts';
import type { LiveRank, LiveRun, LiveStatus } from '../../src/telemetry/live.ts';
import type { LiveFeed } from '../../src/telemetry/live-feed.ts';
import { pageFile, pageHeaders } from '../../src/telemetry/page-files.ts';
import type { HostSnapshot } from '../../src/telemetry/snapshot.ts';

export const run: LiveRun = {
  run: 'mnist-bn',
  host: 'alpha',
  layers: ['dense_1', 'bn_1', 'relu_1', 'dense_2', 'softmax'],
  parameters: 118_282,
  kernels: 'wasm simd',
  targetSteps: 4690,
  stepsPerEpoch: 469,
  clipThreshold: 1,
};

/** From -1 to 1, as good as noise. */
const noise = (step: number, salt: number): number => Math.sin(step * 12.9898 + salt * 78.233 + Math.sin(step * 3.7 + salt) * 43.7);

export function step(number: number, changes: Partial<StepEvent> = {}): StepEvent {
  const loss = 0.06 + 2.2 * Math.exp(-number / 260) + 0.06 * noise(number, 1) * Math.exp(-number / 1500);
  const gradNorm = (0.35 + 3 * Math.exp(-number / 180)) * Math.exp(0.5 * noise(number, 2));
  return {
    event: 'step',
    step: number,
    epoch: Math.floor((number - 1) / run.stepsPerEpoch),
    samples: 128,
    loss,
    metrics: { accuracy: Math.min(1, 0.985 - 0.88 * Math.exp(-number / 200) + 0.02 * noise(number, 3)) },
    gradNorm,
    clipScale: Math.min(1, 1 / gradNorm),
    learningRate: 0.001,
    seconds: 0.0042 * (1 + 0.12 * noise(number, 4)),
    ...changes,
  };
}

function rank(number: number, at: number): LiveRank {
  const [wobble, slow] = [1 + 0.06 * noise(at, number), number === 2 ? 1.25 : 1];
  const [data, forward, loss, backward, reduce, update] = [0.15, 0.95, 0.06, 1.6, 0.34, 0.25].map((ms) => (ms / 1000) * wobble * slow) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const network = 0.0003;
  const wait = Math.max(0, 0.0048 - data - forward - loss - backward - reduce - update - network);
  return { rank: number, phases: { data, forward, loss, backward, reduce, update, network, wait }, step: at, phase: 'backward', layer: 'dense_1' };
}

const hosts: readonly HostSnapshot[] = [
  { name: 'alpha', state: 'member', workers: 4, shards: 4, heartbeatAgeSeconds: undefined, rttSeconds: undefined, metricsAddress: '127.0.0.1:9464' },
  { name: 'beta', state: 'member', workers: 4, shards: 3, heartbeatAgeSeconds: 0.21, rttSeconds: 0.0004, metricsAddress: '10.0.0.12:9464' },
  { name: 'gamma', state: 'preparing', workers: 2, shards: 0, heartbeatAgeSeconds: 0.48, rttSeconds: 0.0011, metricsAddress: '' },
];

export function status(at: number, changes: Partial<LiveStatus> = {}): LiveStatus {
  return {
    state: 'running',
    step: at,
    epoch: Math.ceil(at / run.stepsPerEpoch),
    samplesPerSecond: 30_412.7,
    etaSeconds: (run.targetSteps - at) * 0.0042,
    ranks: [0, 1, 2, 3].map((number) => rank(number, at)),
    hosts,
    ...changes,
  };
}

/** A clock that ticks when told to. */
export class Clock {
  readonly #works = new Set<() => void>();

  readonly every = (_ms: number, work: () => void): (() => void) => {
    this.#works.add(work);
    return () => this.#works.delete(work);
  };

  get running(): number {
    return this.#works.size;
  }

  tick(times = 1): void {
    for (let i = 0; i < times; i++) for (const work of this.#works) work();
  }
}

/** Serves the page and what `feed` is at that moment, on `port` or a free one. */
export async function serve(feed: () => LiveFeed, port = 0): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer((request, response) => {
    const file = pageFile(request.url!);
    if (request.url === '/events') feed().subscribe(response);
    else if (file) response.writeHead(200, { ...pageHeaders, 'content-type': file.type }).end(file.body);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  return { server, port: (server.address() as AddressInfo).port };
}

/** Nobody is answered any more, those being answered included. */
export function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  return closed;
}
