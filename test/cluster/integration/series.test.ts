/**
 * Room: tests of the cluster, integration. Fifty hosts come and go, with real sockets, ranks and state transfers: what a scrape of the coordinator tells
 * has the same names and labels as before the first of them.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import test from 'ava';
import { join } from '../../../cluster/join.ts';
import { serve } from '../../../cluster/serve.ts';
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

test.serial('fifty hosts that join and leave leave no series behind', async (t) => {
  const folder = mkdtempSync(joinPath(tmpdir(), 'lockstep-series-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const ends = new AbortController();
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
  t.teardown(() => ends.abort());

  const come = async (name: string): Promise<void> => {
    const leaves = new AbortController();
    const ended = join({
      url,
      name,
      workers: 1,
      token,
      cacheFolder: joinPath(folder, 'cache'),
      meshListen: loopback,
      metrics: '127.0.0.1:1',
      onNews: (sentence) => news.push(`${name}: ${sentence}`),
      signal: leaves.signal,
    });
    await Promise.race([ended, until(`${name} to take part`, () => news.some((sentence) => sentence.startsWith(`host ${name} joined`)))]);
    leaves.abort();
    await ended;
  };
  const cluster = async (): Promise<string[]> => (await seriesOf(monitor)).filter((series) => series.includes('host="host-'));

  await until('all that a run alone tells', async () => {
    const series = await seriesOf(monitor);
    return ['lockstep_bn_drift{', 'lockstep_loss{split="validation"', 'lockstep_straggler_ratio{'].every((name) => series.some((one) => one.startsWith(name)));
  });
  const before = await seriesOf(monitor);
  const seen = new Set<string>();
  for (let first = 0; first < hosts; first += wave) {
    const waves = Promise.all(Array.from({ length: wave }, (_, i) => come(`host-${first + i}`)));
    let gone = false;
    const left = waves.finally(() => {
      gone = true;
    });
    while (!gone) for (const series of await cluster()) seen.add(series);
    await left;
  }
  await until('the last one to be gone', async () => (await cluster()).length === 0);
  const after = await seriesOf(monitor);
  t.true(before.length > 100, `${before.length} series`);
  t.deepEqual(after, before);
  // Those that were there meanwhile were told of, so there was something to forget.
  t.true(seen.size >= hosts, `${seen.size} series of hosts that are gone`);
  ends.abort();
  await run;
  const text = await (await fetch(`http://127.0.0.1:${monitor.port}/metrics`)).text();
  t.regex(text, new RegExp(`^lockstep_membership_changes_total\\{kind="joined",.*\\} ${hosts}$`, 'm'));
  t.regex(text, new RegExp(`^lockstep_membership_changes_total\\{kind="left",.*\\} ${hosts}$`, 'm'));
});
