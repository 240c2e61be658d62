/** Room: tests of scripts. Hosts in namespaces: they reach each other, send no faster than they may, and leave nothing behind. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { follow } from '../../../scripts/bench/cluster.ts';
import { createNamespaces, namespacesAvailable } from '../../../scripts/bench/namespaces.ts';

const echo = fileURLToPath(new URL('./echo.js', import.meta.url));
const module = new URL('../../../scripts/bench/namespaces.js', import.meta.url).href;
const available = namespacesAvailable();
const onHosts = available.ok ? test : test.skip;
const deadlineMs = 60_000;

/** Namespaces made by a process. */
const namesOf = (pid: number | undefined): string[] =>
  spawnSync('ip', ['netns', 'list'], { encoding: 'utf8' })
    .stdout.split('\n')
    .filter((line) => line.startsWith(`lockstep-${pid}-`));

test('whether hosts can be made is known, with a reason if not', (t) => {
  if (available.ok) t.pass();
  else t.regex(available.reason, /^network namespaces cannot be made here \(.+\)$/);
});

onHosts(`hosts reach each other, and no host sends faster than it may${available.ok ? '' : `: ${available.reason}`}`, async (t) => {
  const network = createNamespaces({ hosts: 3, rateMbit: 100 });
  try {
    t.deepEqual(network.addresses, ['10.80.0.1', '10.80.0.2', '10.80.0.3']);
    const bytes = 2 ** 20;
    await follow('server', network.run(0, process.execPath, [echo, 'serve', '10.80.0.1', '7000'])).says(/listening/, deadlineMs);
    const before = [0, 1, 2].map((host) => network.queue(host).sentBytes);
    for (const host of [1, 2]) {
      const output = await follow(`host ${host}`, network.run(host, process.execPath, [echo, 'ask', '10.80.0.1', '7000', String(bytes)])).succeeds(deadlineMs);
      t.is(output, `${bytes} bytes came back\n`);
    }
    for (const [host, times] of [2, 1, 1].entries()) {
      const { kind, bytesPerSecond, sentBytes } = network.queue(host);
      t.is(kind, 'tbf');
      t.is(bytesPerSecond, 12_500_000);
      const sent = sentBytes - before[host]!;
      t.true(sent > times * bytes && sent < 1.25 * times * bytes, `host ${host} sent ${sent} bytes`);
    }
  } finally {
    network.dispose();
  }
});

onHosts('without a rate there is no limit', (t) => {
  const network = createNamespaces({ hosts: 1 });
  t.is(network.queue(0).bytesPerSecond, undefined);
  network.dispose();
});

onHosts('dispose ends what runs at the hosts and removes them, also twice', async (t) => {
  const network = createNamespaces({ hosts: 2 });
  const server = network.run(1, process.execPath, [echo, 'serve', '10.80.0.2', '7000']);
  await follow('server', server).says(/listening/, deadlineMs);
  const mine = namesOf(process.pid);
  const exit = once(server, 'exit');
  network.dispose();
  network.dispose();
  t.deepEqual(await exit, [null, 'SIGKILL']);
  t.true(namesOf(process.pid).length < mine.length);
});

onHosts('what a dead process left behind is removed by the next one', async (t) => {
  const code = `import { createNamespaces } from '${module}'; createNamespaces({ hosts: 2 }); process.stdout.write('made');`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'pipe'] });
  await follow('the process that forgets', child).succeeds(deadlineMs);
  createNamespaces({ hosts: 1 }).dispose();
  t.deepEqual(namesOf(child.pid), []);
});
