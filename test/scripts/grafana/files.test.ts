/**
 * Room: tests of scripts. The files around the dashboards: Prometheus takes its config and rules, alerts fire where they must, everything that
 * compose.yaml mounts is there, and npm run monitor starts and ends a Prometheus.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { follow } from '../../../scripts/bench/cluster.ts';
import { alertGroups } from '../../../scripts/grafana/alerts.ts';
import { installedPrometheus } from '../../../scripts/grafana/prometheus.ts';
import { allQueries, annotationQueries } from '../../../scripts/grafana/queries.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', '..');
const folder = join(root, 'grafana');
const monitor = join(root, 'dist', 'scripts', 'monitor.js');
const read = (...path: readonly string[]): string => readFileSync(join(folder, ...path), 'utf8');
const lacking = installedPrometheus() === undefined || spawnSync('promtool', ['--version']).status !== 0 ? ': Prometheus is not installed here' : '';
const withPrometheus = lacking === '' ? test : test.skip;
const deadlineMs = 60_000;

/** What promtool says; it fails with a status. */
function promtool(...args: readonly string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync('promtool', args, { encoding: 'utf8', cwd: folder, timeout: deadlineMs });
  return { status, output: stdout + stderr };
}

withPrometheus(`promtool accepts the configs and the rules${lacking}`, (t) => {
  for (const args of [
    ['check', 'config', 'prometheus.yml'],
    ['check', 'config', 'prometheus.compose.yml'],
    ['check', 'rules', 'alerts.yml'],
  ]) {
    const { status, output } = promtool(...args);
    t.is(status, 0, output);
  }
});

withPrometheus(`promtool accepts every query of a dashboard${lacking}`, (t) => {
  // As rules of a file: lezer knows the grammar only, Prometheus also the types of expressions.
  const rules = [...allQueries().map(({ query }) => query), ...annotationQueries()].map((expr, i) => ({ record: `query_${i}`, expr }));
  const rulesOf = (list: readonly object[]): string => JSON.stringify({ groups: [{ name: 'queries', rules: list }] });
  const temporary = mkdtempSync(join(tmpdir(), 'lockstep-queries-'));
  try {
    const file = join(temporary, 'rules.json');
    writeFileSync(file, rulesOf(rules));
    const { status, output } = promtool('check', 'rules', file);
    t.is(status, 0, output);
    t.true(output.includes(`${rules.length} rules found`), output);
    writeFileSync(file, rulesOf([{ record: 'wrong', expr: 'scalar(lockstep_step) > 0' }]));
    t.is(promtool('check', 'rules', file).status, 1);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
});

withPrometheus(`alerts fire where they must and stay silent where they must not${lacking}`, (t) => {
  const { status, output } = promtool('test', 'rules', 'alerts.test.yml');
  t.is(status, 0, output);
});

test('every alert has a test in which it fires', (t) => {
  const text = read('alerts.test.yml');
  const tested = new Set([...text.matchAll(/alertname="(\w+)", alertstate="firing"/g), ...text.matchAll(/alertname: (\w+)\n +exp_alerts:\n/g)].map(([, name]) => name!));
  t.deepEqual(
    [...tested].sort(),
    alertGroups
      .flatMap(({ rules }) => rules)
      .map(({ alert }) => alert)
      .sort(),
  );
});

test('both configs scrape every second by http_sd, the one in the container from outside of it', (t) => {
  const outside = read('prometheus.yml');
  const inside = read('prometheus.compose.yml');
  const withoutComments = (text: string): string => text.replaceAll(/^ *#.*\n/gm, '');
  t.is(
    withoutComments(inside)
      .replace('host.docker.internal:9464/targets', '127.0.0.1:9464/targets')
      .replace(/ {4}relabel_configs:\n[\s\S]*$/, ''),
    withoutComments(outside),
  );
  t.regex(outside, /scrape_interval: 1s\n/);
  t.regex(outside, /honor_labels: true\n/);
  const address = new RegExp(`^${/regex: '(.+)'/.exec(inside)![1]}$`);
  const replaced = (target: string): string => target.replace(address, 'host.docker.internal:$1');
  t.deepEqual(['127.0.0.1:9464', '0.0.0.0:9465', 'localhost:1', '[::]:2', '10.0.0.7:9464', 'node7:9464'].map(replaced), [
    'host.docker.internal:9464',
    'host.docker.internal:9465',
    'host.docker.internal:1',
    'host.docker.internal:2',
    '10.0.0.7:9464',
    'node7:9464',
  ]);
});

test('every path that compose.yaml mounts is there, and every path that is named within is mounted', (t) => {
  const text = read('compose.yaml');
  const mounts = [...text.matchAll(/^ {6}- (\.\/\S+?):(\/\S+?):ro$/gm)].map(([, from, to]) => ({ from: from!, to: to! }));
  t.is(mounts.length, 4);
  for (const { from } of mounts) t.true(existsSync(join(folder, from)), from);
  const inside = (path: string): string => {
    const mount = mounts.find(({ to }) => path === to || path.startsWith(`${to}/`));
    return mount ? join(folder, mount.from, path.slice(mount.to.length)) : `${path} is not mounted`;
  };
  const provider = /path: (\S+)/.exec(read('provisioning', 'dashboards', 'lockstep.yaml'))![1]!;
  t.deepEqual(readdirSync(inside(provider)).sort(), ['lockstep-anatomy.json', 'lockstep-cluster.json', 'lockstep-run.json']);
  t.true(existsSync(inside(/DEFAULT_HOME_DASHBOARD_PATH: (\S+)/.exec(text)![1]!)));
  t.true(existsSync(inside('/etc/prometheus/alerts.yml')), 'rule_files are beside the config');
  t.true(existsSync(inside('/etc/prometheus/prometheus.yml')));
  t.true(existsSync(inside('/etc/grafana/provisioning/datasources/prometheus.yaml')));
});

test('compose.yaml publishes to this machine alone, lets anybody there look and nobody edit', (t) => {
  const text = read('compose.yaml');
  t.notRegex(text, /\t/);
  const ports = [...text.matchAll(/^ {4}ports:\n((?: {6}- .+\n)+)/gm)].map(([, list]) => list!.trim());
  t.deepEqual(ports, ['- 127.0.0.1:9090:9090', '- 127.0.0.1:3000:3000']);
  t.regex(text, /- host\.docker\.internal:host-gateway\n/);
  t.regex(text, /GF_AUTH_ANONYMOUS_ORG_ROLE: Viewer\n/);
  const datasource = read('provisioning', 'datasources', 'prometheus.yaml');
  t.regex(datasource, /url: \$PROMETHEUS_URL\n/);
  t.regex(text, /PROMETHEUS_URL: http:\/\/prometheus:9090\n/);
  t.regex(datasource, /timeInterval: 1s\n/, 'as often as is scraped');
});

withPrometheus(`npm run monitor starts a Prometheus, says what to open, and takes it along${lacking}`, async (t) => {
  const temporary = mkdtempSync(join(tmpdir(), 'lockstep-monitor-test-'));
  const child = spawn(process.execPath, [monitor], { env: { ...process.env, TMPDIR: temporary }, stdio: ['ignore', 'pipe', 'pipe'] });
  try {
    const [, url] = await follow('monitor', child).says(/queries +(http:\S+)\/graph\n[\s\S]*Grafana +docker compose -f grafana\/compose\.yaml up.*\n/, deadlineMs);
    const response = (await (await fetch(`${url}/api/v1/rules`)).json()) as { data: { groups: { rules: unknown[] }[] } };
    t.is(response.data.groups.flatMap(({ rules }) => rules).length, alertGroups.flatMap(({ rules }) => rules).length);
    t.is(readdirSync(temporary).length, 1);
    child.kill('SIGINT');
    t.deepEqual(await once(child, 'close'), [0, null]);
    await t.throwsAsync(fetch(`${url}/-/ready`), undefined, 'it is gone');
    t.deepEqual(readdirSync(temporary), []);
  } finally {
    child.kill('SIGTERM');
    rmSync(temporary, { recursive: true, force: true });
  }
});

test('without Prometheus npm run monitor says how to get it', (t) => {
  const { status, stderr } = spawnSync(process.execPath, [monitor], { env: { PATH: '/nowhere' }, encoding: 'utf8', timeout: deadlineMs });
  t.is(status, 1);
  t.regex(stderr, /^monitor: Expected Prometheus to be installed, found no `prometheus`; get it with .*\n$/);
});

test('npm run monitor takes a port and nothing else for one', (t) => {
  const { status, stderr } = spawnSync(process.execPath, [monitor, '--port', '70000'], { encoding: 'utf8', timeout: deadlineMs });
  t.is(status, 2);
  t.is(stderr, 'monitor: Expected --port to be an integer from 1 to 65535, got 70000; leave it out for a free one.\n');
  for (const args of [['--prot', '9099'], ['--port'], ['9099']]) {
    const wrong = spawnSync(process.execPath, [monitor, ...args], { encoding: 'utf8', timeout: deadlineMs });
    t.is(wrong.status, 2, args.join(' '));
    t.regex(wrong.stderr, /^monitor: Expected no argument but --port N, got this: .+; leave out what is too much\.\n$/);
  }
});
