/**
 * Room: tests of the cluster, integration. Two processes that both record their first steps: their traces tell the same steps at the same time.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import type { TraceEvent } from '../../../src/telemetry/trace.ts';
import { deadlineMs, party, recipe } from './party.ts';

const run = recipe();

test.serial('a coordinator and a host write traces that fit together', async (t) => {
  const [own, other] = ['own', 'other'].map((name) => join(run.folder, `${name}.json`)) as [string, string];
  const flags = (file: string): string[] => ['--trace', file, '--trace-steps', '5'];
  const cluster = await party(t, run, { workers: 1, steps: 30, flags: ['--min-hosts', '2', ...flags(own)] });
  const host = cluster.join('host', '--workers', '2', '--name', 'host', ...flags(other));
  await cluster.done(t);
  await host.succeeds(deadlineMs);
  const read = (file: string): TraceEvent[] => (JSON.parse(readFileSync(file, 'utf8')) as { traceEvents: TraceEvent[] }).traceEvents;
  const [ours, theirs] = [read(own), read(other)];
  for (const [events, id, ranks] of [
    [ours, 0, 1],
    [theirs, 1, 2],
  ] as const) {
    t.deepEqual([...new Set(events.map(({ pid }) => pid))], [id]);
    t.is(new Set(events.filter(({ ph }) => ph === 'X').map(({ tid }) => tid)).size, ranks);
    for (let step = 1; step <= 5; step++)
      t.true(
        events.some(({ name }) => name === `step ${step}`),
        `step ${step} of host ${id}`,
      );
  }
  const span = (events: TraceEvent[], name: string): readonly [number, number] => {
    const event = events.find((candidate) => candidate.name === name) as { readonly ts: number; readonly dur: number };
    return [event.ts, event.ts + event.dur];
  };
  for (let step = 1; step <= 5; step++) {
    const [[from, to], [theirFrom, theirTo]] = [span(ours, `step ${step}`), span(theirs, `step ${step}`)];
    t.true(from < theirTo && theirFrom < to, `step ${step} is at the same time on both`);
  }
});
