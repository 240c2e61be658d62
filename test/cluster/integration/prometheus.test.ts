/**
 * Room: tests of the cluster, integration. A run of three processes, watched by a real Prometheus that finds them by itself: every query of every panel has
 * an answer, those about faults once a host was killed.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { installedPrometheus, startPrometheus } from '../../../scripts/grafana/prometheus.ts';
import { allQueries, annotationQueries } from '../../../scripts/grafana/queries.ts';
import { packageRoot } from '../../scripts/command.ts';
import { deadlineMs, party, recipe, until } from './party.ts';

const version = installedPrometheus();
const watched = version === undefined ? test.skip : test.serial;
const missing = version === undefined ? ' (SKIPPED: no prometheus; apt-get install prometheus)' : '';

const run = recipe({ optimizer: { type: 'sgd', learningRate: 0.05, momentum: 0.9, globalClipnorm: 0.5 } });
const checkpoints = ['--run-dir', join(run.folder, 'run'), '--checkpoint-every', '20steps'];

interface Answer {
  readonly status: string;
  readonly error?: string;
  readonly data?: { readonly result: readonly { readonly metric: { readonly run?: string; readonly host?: string }; readonly value: readonly [number, string] }[] };
}

watched(`every panel of every dashboard has something to show${missing}`, async (t) => {
  const cluster = await party(t, run, { workers: 1, flags: ['--min-hosts', '3', '--metrics', '127.0.0.1:0', ...checkpoints] });
  const [stays, dies] = ['stays', 'dies'].map((name) => cluster.join(name, '--workers', '1', '--name', name, '--metrics', '127.0.0.1:0')) as [
    ReturnType<typeof cluster.join>,
    ReturnType<typeof cluster.join>,
  ];
  const [, port] = await cluster.coordinator.says(/live page and metrics at http:\/\/127\.0\.0\.1:(\d+)\//, deadlineMs);
  const configFile = join(run.folder, 'prometheus.yml');
  const config = readFileSync(join(packageRoot, 'grafana', 'prometheus.yml'), 'utf8');
  writeFileSync(configFile, config.replace(':9464/', `:${port}/`).replace('alerts.yml', join(packageRoot, 'grafana', 'alerts.yml')));
  const prometheus = await startPrometheus({ configFile });
  t.teardown(() => prometheus.stop());

  const ask = async (query: string): Promise<NonNullable<Answer['data']>['result']> => {
    const response = await fetch(`${prometheus.url}/api/v1/query`, { method: 'POST', body: new URLSearchParams({ query }) });
    const { status, error, data } = (await response.json()) as Answer;
    if (status !== 'success') throw new Error(`${query}: ${error}`);
    return data!.result;
  };
  const answered = async (query: string): Promise<boolean> => (await ask(query)).some(({ value }) => Number.isFinite(Number(value[1])));
  /** Waits until all have an answer, and says which have none. */
  const allAnswered = async (queries: readonly { readonly panel: string; readonly query: string }[]): Promise<void> => {
    let open = queries;
    const deadline = performance.now() + deadlineMs;
    while (open.length > 0 && performance.now() < deadline) {
      const answers = await Promise.all(open.map(({ query }) => answered(query)));
      open = open.filter((_, i) => !answers[i]);
    }
    t.deepEqual(
      open.map(({ panel, query }) => `${panel}: ${query}`),
      [],
    );
  };

  await cluster.reaches(20);
  await until('a scrape of all three', async () => (await ask('up == 1')).length === 3);
  const [info] = await ask('lockstep_run_info');
  const queries = allQueries({ run: info!.metric.run!, rateInterval: '5s' });
  t.true(queries.length > 40);
  await allAnswered(queries.filter(({ faultsOnly }) => !faultsOnly));
  t.deepEqual(
    (await ask('count by (host) (lockstep_rank_compute_seconds_total)'))
      .map(({ metric }) => metric.host)
      .filter((host) => /stays|dies/.test(host!))
      .sort(),
    ['dies', 'stays'],
  );

  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const { stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
  t.deepEqual(
    `${stdout}${stderr}`.split('\n').filter((line) => line.includes('lockstep')),
    [],
    'no complaint about our names',
  );

  dies.child.kill('SIGKILL');
  cluster.join('comes', '--workers', '1', '--name', 'comes', '--metrics', '127.0.0.1:0');
  await cluster.advances(20);
  await allAnswered(queries.filter(({ faultsOnly }) => faultsOnly));
  for (const query of annotationQueries({ run: info!.metric.run! })) await t.notThrowsAsync(ask(query));
  t.is((await ask('lockstep_membership_changes_total{kind="lost"}'))[0]?.value[1], '1');
  await until('the series of the lost host to go', async () => (await ask('lockstep_host_shards{host="dies"}')).length === 0);
  await cluster.finish(t);
  await stays.succeeds(deadlineMs);
});
