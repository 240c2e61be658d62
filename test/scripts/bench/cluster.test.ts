/** Room: tests of scripts. Processes of a run: they start in order, their logs are read, their failures name them. */
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { type ClusterOptions, launchHere, parseLog, startCluster } from '../../../scripts/bench/cluster.ts';

const lockstep = fileURLToPath(new URL('./fake-lockstep.js', import.meta.url));
const deadlineMs = 60_000;
const fake = (options: Partial<ClusterOptions> = {}): ClusterOptions => ({ config: 'run.json', hosts: 3, flags: () => [], lockstep, startMs: deadlineMs, ...options });

test('a run over three processes ends with their logs', async (t) => {
  const cluster = await startCluster(fake({ flags: (host) => (host === 0 ? ['--steps', '4'] : []) }));
  t.teardown(cluster.dispose);
  const logs = await cluster.succeeds(deadlineMs);
  t.is(logs.length, 3);
  t.deepEqual(logs[0]!.seconds, [0.001, 0.002, 0.003, 0.004]);
  t.like(logs[0]!.end, { network: { bytesOut: 500, gradientBytesOut: 1600 } });
  for (const { end } of logs.slice(1)) t.like(end, { event: 'end', network: { bytesOut: 500 } });
});

test('a process that fails is named, with what it said', async (t) => {
  const cluster = await startCluster(fake({ flags: (host) => (host === 2 ? ['--break'] : []) }));
  t.teardown(cluster.dispose);
  await t.throwsAsync(cluster.succeeds(deadlineMs), { message: /^Expected host 2 to end with 0, not 3; its output was:\nbroken on purpose/ });
});

test('a coordinator that ends without its line is named', async (t) => {
  await t.throwsAsync(startCluster(fake({ flags: () => ['--break'] })), { message: /^Expected the coordinator to say .*, but it ended with 3; .*\nbroken on purpose/ });
});

test('a run that does not end is told at its deadline, and nothing of it is left', async (t) => {
  // It waits for a host more than there is.
  const cluster = await startCluster(fake({ hosts: 2, flags: (host) => (host === 0 ? ['--min-hosts', '3'] : []) }));
  await t.throwsAsync(cluster.succeeds(100), { message: /^Expected (?:the coordinator|host 1) to end within 100 ms/ });
  const ended = cluster.programs.map(({ child }) => new Promise((resolve) => child.once('exit', resolve)));
  cluster.dispose();
  await Promise.all(ended);
  t.deepEqual(
    cluster.programs.map(({ child }) => child.signalCode),
    ['SIGKILL', 'SIGKILL'],
  );
});

test('hosts are started where and with the address that the caller says', async (t) => {
  const started: string[] = [];
  const cluster = await startCluster(
    fake({
      hosts: 2,
      launch(host, file, args) {
        started.push(`${host} ${args.slice(1, 3).join(' ')}`);
        return launchHere(host, file, args);
      },
      reach: (host, url) => `${url}/${host}`,
    }),
  );
  t.teardown(cluster.dispose);
  await cluster.succeeds(deadlineMs);
  t.is(started[0], '0 train run.json');
  t.regex(started[1]!, /^1 join ws:\/\/127\.0\.0\.1:\d+\/1$/);
});

test('a log that still grows is read up to its last whole line', (t) => {
  const text = '{"event":"step","seconds":0.5}\n{"event":"epoch"}\n{"event":"st';
  t.deepEqual(parseLog(text), { seconds: [0.5], end: undefined });
  t.deepEqual(parseLog(''), { seconds: [], end: undefined });
});
