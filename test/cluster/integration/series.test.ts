/**
 * Room: tests of the cluster, integration. Fifty hosts come and go, with real sockets, ranks and state transfers: what a scrape of the coordinator tells
 * has the same names and labels as before the first of them.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { join } from '../../../cluster/join.ts';
import { serve } from '../../../cluster/serve.ts';
import { heartbeatMs } from '../../../cluster/vigil.ts';
import { Monitor } from '../../../src/local/monitor.ts';
import { train } from '../../../src/local/train.ts';
import { normalized } from '../../contracts/collectives/recipes.ts';
import { until } from './party.ts';

const hosts = 50;
/** So many at the same time. */
const wave = 5;
const token = 'a secret of this test';
const loopback = { host: '127.0.0.1', port: 0 };

/** Names with labels of what is told of the run, in order. */
async function seriesOf({ port }: Monitor): Promise<string[]> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const own = text.split('\n').filter((line) => line.startsWith('lockstep_'));
  return own.map((line) => line.slice(0, line.lastIndexOf(' '))).sort();
}

/** A run that goes on until `ends`, with a monitor, and hosts in this process that come to it. */
async function coordinate(t: ExecutionContext) {
  const folder = mkdtempSync(joinPath(tmpdir(), 'lockstep-series-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const ends = new AbortController();
  t.teardown(() => ends.abort());
  const monitor = await Monitor.open({ ...loopback, identity: () => ({ run: 'r', host: 'coordinator' }) });
  t.teardown(() => monitor.close());
  const news: string[] = [];
  let url = '';
  const openCrew = serve({
    ...loopback,
    token,
    runId: 'r',
    name: 'coordinator',
    workers: 1,
    minHosts: 1,
    topology: 'mesh',
    heartbeatTimeoutMs: 30_000,
    onNews: (sentence) => news.push(sentence),
    onListening: ({ port }) => {
      url = `ws://127.0.0.1:${port}`;
    },
  });
  const run = train(
    normalized({
      epochs: undefined,
      steps: 10_000_000,
      workers: undefined,
      signal: ends.signal,
      openCrew,
      onCrew: (crew) => monitor.watch({ snapshot: () => crew.snapshot?.(), cluster: () => crew.cluster?.(), observe: () => crew.station.team.observe() }),
      onEvent: (event) => monitor.take(event),
    }),
  );
  run.catch(() => undefined);
  await until('an address', () => url !== '');
  /** A host that joins, takes part, and leaves after `meanwhile`. */
  const come = async (name: string, meanwhile?: () => Promise<void>): Promise<void> => {
    const leaves = new AbortController();
    const cacheFolder = joinPath(folder, 'cache');
    const options = { url, name, workers: 1, token, cacheFolder, meshListen: loopback, metrics: '127.0.0.1:1', onNews: () => undefined, signal: leaves.signal };
    const ended = join(options);
    await Promise.race([ended, until(`${name} to take part`, () => news.some((sentence) => sentence.startsWith(`host ${name} joined`)))]);
    await meanwhile?.();
    leaves.abort();
    await ended;
  };
  const ended = async (): Promise<void> => {
    ends.abort();
    await run;
  };
  /** How many hosts `joined`, `left` or were `lost`. */
  const changes = async (kind: string): Promise<number> => {
    const text = await (await fetch(`http://127.0.0.1:${monitor.port}/metrics`)).text();
    return Number(new RegExp(`^lockstep_membership_changes_total\\{kind="${kind}",.*\\} (\\d+)$`, 'm').exec(text)?.[1]);
  };
  return { monitor, come, ended, changes };
}

test.serial('fifty hosts that join and leave leave no series behind', async (t) => {
  const { monitor, come, ended, changes } = await coordinate(t);
  const ofGuests = async (): Promise<string[]> => (await seriesOf(monitor)).filter((series) => series.includes('host="host-'));
  await until('all that a run alone tells', async () => {
    const series = await seriesOf(monitor);
    return ['lockstep_bn_drift{', 'lockstep_loss{split="validation"', 'lockstep_straggler_ratio{'].every((name) => series.some((one) => one.startsWith(name)));
  });
  const before = await seriesOf(monitor);
  const seen = new Set<string>();
  for (let first = 0; first < hosts; first += wave) {
    let gone = false;
    const left = Promise.all(Array.from({ length: wave }, (_, i) => come(`host-${first + i}`))).finally(() => {
      gone = true;
    });
    while (!gone) for (const series of await ofGuests()) seen.add(series);
    await left;
  }
  await until('the last one to be gone', async () => (await ofGuests()).length === 0);
  const after = await seriesOf(monitor);
  t.true(before.length > 100, `${before.length} series`);
  t.deepEqual(after, before);
  t.true(seen.size >= hosts, `of those that were there ${seen.size} series were told, so there was something to forget`);
  await ended();
  t.deepEqual([await changes('joined'), await changes('left'), await changes('lost')], [hosts, hosts, 0]);
});

test.serial("who sets the system's clock makes no host silent", async (t) => {
  const { come, ended, changes } = await coordinate(t);
  const now = Date.now;
  let hours = 0;
  t.teardown(() => {
    Date.now = now;
  });
  await come('guest', async () => {
    // Set forward by an hour each time that somebody looks.
    Date.now = () => now() + 3_600_000 * ++hours;
    const beats = performance.now() + 3 * heartbeatMs;
    await until('some looks at its signs of life', () => performance.now() > beats);
  });
  await ended();
  t.deepEqual([await changes('joined'), await changes('left'), await changes('lost')], [1, 1, 0]);
});
