/**
 * Room: tests of the cluster, integration. A link between two hosts of a mesh that lets nothing through any more, while both of them give signs of life to the
 * coordinator: nobody goes on, so one of them is given up, and the run ends with the bits of one process.
 */
import test from 'ava';
import { startProxy } from '../../../scripts/bench/proxy.ts';
import { freePort, party, recipe } from './party.ts';

const run = recipe();

test.serial('a link between two hosts that freezes costs one of them its place, and no bit', async (t) => {
  const mesh = await freePort();
  const line = await startProxy({ listen: { host: '127.0.0.1', port: 0 }, target: { host: '127.0.0.1', port: mesh } });
  t.teardown(() => line.close());
  const cluster = await party(t, run, { workers: 1, flags: ['--topology', 'mesh', '--min-hosts', '2'] });
  cluster.join('first', '--workers', '1', '--mesh-listen', `127.0.0.1:${mesh}`, '--advertise', `127.0.0.1:${line.port}`);
  await cluster.coordinator.says(/host first joined with 1 worker/, 60_000);
  cluster.join('second', '--workers', '1');
  await cluster.coordinator.says(/host second joined with 1 worker/, 60_000);
  await cluster.advances(50);
  t.true(line.connections > 0);
  line.freeze();
  const [sentence] = await cluster.coordinator.says(/Host (first|second) \(.*\) keeps a step waiting: .*/, 120_000);
  t.regex(sentence, /last heartbeat at .* \(\d\.\d s ago\), last progress at .* \(1\d\.\d s ago\): rank 0 in step \d+, phase \w+/);
  line.thaw();
  await cluster.advances(50);
  await cluster.finish(t);
});
