/**
 * Room: tests of the cluster, integration. Membership changes under a run's feet: hosts join and leave between steps, die in the
 * middle of one, fall silent; the run pauses when there are too few. Nothing of it changes a bit.
 */
import test from 'ava';
import { deadlineMs, party, recipe, until } from './party.ts';

const run = recipe();

for (const topology of ['star', 'mesh'] as const) {
  test.serial(`a host joins after step 50 and another leaves after step 120: ${topology}`, async (t) => {
    const cluster = await party(t, run, { workers: 1, flags: ['--min-hosts', '2', '--topology', topology] });
    const first = cluster.join('first', '--workers', '2');
    await cluster.reaches(50);
    const second = cluster.join('second', '--workers', '1');
    await cluster.coordinator.says(/host second joined with 1 worker: generation \d+, /, deadlineMs);
    await cluster.reaches(120);
    first.child.kill('SIGTERM');
    t.regex(await first.succeeds(deadlineMs), /stopping after this step.*\nReleased as asked; the run goes on without this host\. The last step here was \d+\.\n/);
    await cluster.advances(50);
    t.regex(await cluster.finish(t), /host first joined.*host second joined.*host first left\n/s);
    t.regex(await second.succeeds(deadlineMs), /The run is done/);
  });

  test.serial(`a host is killed in the middle and the others replay its step: ${topology}`, async (t) => {
    const cluster = await party(t, run, { workers: 1, flags: ['--min-hosts', '3', '--topology', topology] });
    const [victim, survivor] = [cluster.join('victim', '--workers', '1'), cluster.join('survivor', '--workers', '2')];
    await cluster.reaches(40);
    victim.child.kill('SIGKILL');
    await cluster.coordinator.says(/host victim was lost: The connection to \S+ broke\.\n/, deadlineMs);
    await cluster.coordinator.says(/the run waits for more hosts: it has 2 with workers and needs 3\n/, deadlineMs);
    const paused = cluster.step;
    await run.sha(paused);
    t.is(cluster.step, paused, 'nothing is computed while there are too few');
    const late = cluster.join('late', '--workers', '1');
    await cluster.coordinator.says(/host late joined with 1 worker/, deadlineMs);
    await cluster.advances(30);
    await cluster.finish(t);
    for (const host of [survivor, late]) t.regex(await host.succeeds(deadlineMs), /The run is done/);
  });
}

test.serial('a silent host is named with its ranks, shards and place, and may come back', async (t) => {
  const cluster = await party(t, run, { workers: 1, flags: ['--min-hosts', '2', '--heartbeat-timeout', '1'] });
  const host = cluster.join('sleeper', '--workers', '2');
  await cluster.reaches(30);
  // Two heartbeats, so that the coordinator knows of its ranks.
  const began = performance.now();
  await until('a second of training', () => performance.now() - began > 1100);
  host.child.kill('SIGSTOP');
  const [sentence] = await cluster.coordinator.says(/host sleeper was lost: .*\n/, deadlineMs);
  const time = 'at [-\\d]+T[:.\\d]+Z \\(\\d+\\.\\d s ago\\)';
  const places = '(ranks? [\\d, -]+ (before its first step|in an evaluation|in step \\d+), phase [a-z]+(, layer [a-z0-9_]+)?(; )?)+';
  const expected = `^host sleeper was lost: Host sleeper \\(ranks 0-1, shards? [-\\d]+\\) was silent for more than 1 s: last heartbeat ${time}, last progress ${time}: ${places}\\.\n$`;
  t.regex(sentence!, new RegExp(expected));
  host.child.kill('SIGCONT');
  await host.says(/trying again in/, deadlineMs);
  await cluster.advances(30);
  const output = await cluster.finish(t);
  t.is(output.match(/host sleeper joined/g)?.length, 2);
  t.regex(await host.succeeds(deadlineMs), /The run is done/);
});
