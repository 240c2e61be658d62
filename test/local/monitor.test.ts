/**
 * Room: tests of local. A real run that is watched: what a scrape tells is what the run's events and the arena say, and being watched changes no bit of it.
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { Crew } from '../../src/local/crew.ts';
import { Monitor } from '../../src/local/monitor.ts';
import { snapshotOf } from '../../src/local/snapshot.ts';
import { type TrainOptions, train } from '../../src/local/train.ts';
import type { LiveHello, LiveRun } from '../../src/telemetry/live.ts';
import type { ProcessSnapshot } from '../../src/telemetry/snapshot.ts';
import { until } from '../cluster/transport/sockets.ts';
import { normalized } from '../contracts/collectives/recipes.ts';

const live: LiveRun = { run: 'r', host: 'h', layers: [], parameters: 1, kernels: 'wasm', targetSteps: 0, stepsPerEpoch: 0 };
const labels = { version: '0', kernels: 'wasm', topology: 'none', shards: '5', batch_size: '12', optimizer: 'sgd', loss: 'sparseCategoricalCrossentropy' };

function folder(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'lockstep-monitor-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test('a scrape in the midst of a run, and one after it', async (t) => {
  const monitor = await Monitor.open({ host: '127.0.0.1', port: 0, identity: () => ({ run: 'r', host: 'h' }) });
  t.teardown(() => monitor.close());
  const scrape = async (): Promise<string> => (await fetch(`http://127.0.0.1:${monitor.port}/metrics`)).text();
  let crew: Crew | undefined;
  let during = '';
  const options: TrainOptions = normalized({
    checkpoints: { runDir: folder(t) },
    onCrew: (now) => {
      crew = now;
      monitor.watch({ snapshot: () => now.snapshot?.(), observe: () => now.station.team.observe() });
    },
    onStart: ({ steps, stepsPerEpoch }) =>
      monitor.begin({ facts: { labels, targetSteps: steps, stepsPerEpoch, checkpoints: true }, live: { ...live, targetSteps: steps, stepsPerEpoch } }),
    onEvent: (event) => monitor.take(event),
    onEpoch: ({ epoch }) => {
      if (epoch > 0) return;
      crew!.station.team.observe();
      void scrape().then((text) => {
        during = text;
      });
    },
  });
  const run = await train(options);
  await until('a scrape', () => during !== '');
  await monitor.end('done');
  const after = await scrape();
  t.regex(after, new RegExp(`^lockstep_step\\{.*\\} ${run.steps}$`, 'm'));
  t.regex(after, new RegExp(`^lockstep_steps_total\\{result="applied".*\\} ${run.steps}$`, 'm'));
  t.regex(after, /^lockstep_run_state\{state="done".*\} 1$/m);
  t.regex(after, new RegExp(`^lockstep_checkpoint_step\\{.*\\} ${run.steps}$`, 'm'));
  t.regex(after, /^lockstep_checkpoints_total\{result="written".*\} [1-9]$/m);
  t.regex(after, /^lockstep_rank_restarts_total\{.*\} 0$/m);
  t.regex(after, /^lockstep_bn_drift\{layer="[a-z_]+".*\} 0\.\d+$/m);
  t.regex(during, /^lockstep_rank_compute_seconds_total\{rank="0".*\} 0\.\d+$/m);
  t.is(run.weightsSha256, (await train(normalized())).weightsSha256, 'who is watched computes the same bits');
  t.is(await (await fetch(`http://127.0.0.1:${monitor.port}/healthz`)).text(), 'ok\n');
  t.deepEqual(await (await fetch(`http://127.0.0.1:${monitor.port}/targets`)).json(), [{ targets: [`127.0.0.1:${monitor.port}`], labels: {} }]);
});

test('what is observed of a step is what that step did', async (t) => {
  const states: Float64Array[] = [];
  let seen: ProcessSnapshot | undefined;
  let look = (): void => {};
  await train(
    normalized({
      steps: 1,
      workers: 2,
      onCrew({ station }) {
        const { plan, arena } = station;
        const at = plan.parameters >>> 2;
        look = () => {
          states.push(Float64Array.from(plan.tensors.flatMap(({ offset, size }) => [...arena.f32.subarray(at + (offset >>> 2), at + (offset >>> 2) + size)])));
          seen = snapshotOf(station);
        };
        look();
        // Asked for before the first command: its first step is observed.
        station.team.observe();
      },
      onEpoch: () => look(),
    }),
  );
  const [before, after] = states as [Float64Array, Float64Array];
  const norm = (values: Float64Array): number => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
  const { step, updateRatio, layerGradientNorms, bnDrift } = seen!.observed!;
  t.is(step, 1);
  t.true(Math.abs(updateRatio - norm(after.map((value, i) => value - before[i]!)) / norm(before)) < 1e-6 * updateRatio);
  for (const [layer, value] of layerGradientNorms) t.true(value >= 0 && Number.isFinite(value), layer);
  t.is(bnDrift.length, 2);
  t.is(seen!.bnVarianceMin.length, 2);
  t.is(seen!.ranks.length, 2);
  t.is(seen!.shards, 5);
  t.is(seen!.bnSyncs, 3, 'forward of both normalisations, backward of the second: the first is part of the Dense after it');
});

async function opened(t: ExecutionContext): Promise<Monitor> {
  const monitor = await Monitor.open({ host: '127.0.0.1', port: 0, identity: () => ({ run: 'r', host: 'h' }) });
  t.teardown(() => monitor.close());
  return monitor;
}

/** What a page that is opened now is told first. */
async function hello({ port }: Monitor): Promise<LiveHello> {
  const request = get({ host: '127.0.0.1', port, path: '/events', agent: false });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  let text = '';
  response.setEncoding('utf8').on('data', (more: string) => {
    text += more;
  });
  await until('the first event', () => /^data: .*\n\n/m.test(text));
  request.on('error', () => undefined).destroy();
  return JSON.parse(/^data: (.*)$/m.exec(text)![1]!) as LiveHello;
}

test('a page that is opened after the end sees ranks, hosts and the last checkpoint as they were', async (t) => {
  const monitor = await opened(t);
  const run = await train(
    normalized({
      workers: 2,
      checkpoints: { runDir: folder(t) },
      onCrew: (crew) => monitor.watch({ snapshot: () => crew.snapshot?.(), observe: () => crew.station.team.observe() }),
      onStart: ({ steps, stepsPerEpoch }) => monitor.begin({ live: { ...live, targetSteps: steps, stepsPerEpoch } }),
      onEvent: (event) => monitor.take(event),
    }),
  );
  await monitor.end('failed');
  const { status } = await hello(monitor);
  t.like(status, { state: 'failed', step: run.steps, epoch: 2, samplesPerSecond: 0, checkpointStep: run.steps });
  t.false('etaSeconds' in status);
  t.deepEqual(
    status.ranks.map(({ rank, step }) => [rank, step]),
    [
      [0, -1],
      [1, -1],
    ],
    'the last that they did was an evaluation',
  );
  t.like(status.hosts, [{ name: 'h', workers: 2, shards: 5 }]);
});

test('a process that does not lead the run tells nothing of its state, also not at its end', async (t) => {
  const monitor = await opened(t);
  monitor.begin({ live });
  await monitor.end('done');
  const text = await (await fetch(`http://127.0.0.1:${monitor.port}/metrics`)).text();
  t.notRegex(text, /^lockstep_run_state\{/m);
});

test('HEAD of the events is answered at once, and pages that are closed before the run begins make room', async (t) => {
  const monitor = await opened(t);
  const { status } = await fetch(`http://127.0.0.1:${monitor.port}/events`, { method: 'HEAD' });
  t.is(status, 200);
  for (let page = 0; page < 33; page++) {
    const request = get({ host: '127.0.0.1', port: monitor.port, path: '/events', agent: false });
    const answers: number[] = [];
    request.on('error', () => undefined).on('response', (response) => answers.push(response.statusCode!));
    // Requests are answered in order: once the second one is, the first one has arrived.
    await once(request, 'finish');
    await fetch(`http://127.0.0.1:${monitor.port}/healthz`);
    t.deepEqual(answers, [], `page ${page} waits`);
    request.destroy();
    await fetch(`http://127.0.0.1:${monitor.port}/healthz`);
  }
  const waiting = hello(monitor);
  await fetch(`http://127.0.0.1:${monitor.port}/healthz`);
  monitor.begin({ live });
  t.is((await waiting).run.run, 'r');
});
