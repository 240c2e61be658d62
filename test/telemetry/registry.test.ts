/**
 * Room: tests of telemetry. From steps, snapshots and what happened to hosts to Prometheus' text: every metric of the table can be told, counters only grow,
 * and hosts that are gone take their series along.
 */
import test from 'ava';
import type { CheckpointEvent } from '../../src/telemetry/events.ts';
import { metrics } from '../../src/telemetry/names.ts';
import { phases } from '../../src/telemetry/timing.ts';
import { clusterWith, facts, processWith, rank, step, told, valueIn, watched } from './registry-parts.ts';

const written: CheckpointEvent = { event: 'checkpoint', step: 7, result: 'written', stallSeconds: 0.5, seconds: 1.5, bytes: 4096 };
/** Of a machine alone. */
const recovery = { restarts: 3, replayedSteps: 2, seconds: [0.25, 0.5, 0.75] };

test('every metric of the table is told, with its help and type, and run and host on every series', async (t) => {
  const { registry, now } = watched();
  registry.begin(facts);
  registry.step(step);
  registry.step({ ...step, step: 8, gradNorm: Number.NaN, skipped: { phase: 'forward' } });
  registry.epoch({ event: 'epoch', epoch: 0, loss: 1, metrics: {}, validation: { loss: 0.25, metrics: { accuracy: 0.9 } } });
  registry.checkpoint(written);
  now.process = processWith([rank(0, 1), rank(1, 3)]);
  now.cluster = clusterWith('a', 'b');
  await registry.text();
  now.process = processWith([rank(0, 2), rank(1, 5)], { recovery });
  const text = await registry.text();
  for (const { name, type, help } of Object.values(metrics)) {
    t.true(text.includes(`# HELP ${name} ${help}\n`), name);
    t.true(text.includes(`# TYPE ${name} ${type}\n`), name);
    const series = text.split('\n').filter((line) => line.startsWith(name) && !line.startsWith('#'));
    t.true(
      series.some((line) => Number.isFinite(Number(line.slice(line.lastIndexOf(' ') + 1)))),
      `${name} has a value`,
    );
    for (const line of series) t.regex(line, /run="r".*host="|host=".*run="r"/);
  }
  t.is(valueIn(text, 'lockstep_steps_total{result="applied"'), 1);
  t.is(valueIn(text, 'lockstep_steps_total{result="skipped"'), 1);
  t.is(valueIn(text, 'lockstep_non_finite_steps_total{phase="forward"'), 1);
  t.is(valueIn(text, 'lockstep_clipped_steps_total'), 2);
  t.is(valueIn(text, 'lockstep_rank_compute_seconds_total{rank="1"'), 5 * (phases.length - 2));
  t.is(valueIn(text, 'lockstep_rank_wait_seconds_total{rank="1"'), 1);
  t.is(valueIn(text, 'lockstep_straggler_ratio'), 2 / 1.5);
  t.is(valueIn(text, 'lockstep_recovery_duration_seconds_count'), 2);
  t.is(valueIn(text, 'lockstep_loss{split="validation"'), 0.25);
});

test('a total that begins anew goes on from what was told', async (t) => {
  const { registry, now } = watched();
  for (const [seconds, expected] of [
    [2, 2],
    [5, 5],
    [1, 6],
    [3, 8],
  ] as const) {
    now.process = processWith([rank(0, seconds)]);
    t.is(valueIn(await registry.text(), 'lockstep_phase_seconds_total{rank="0",phase="forward"'), expected);
  }
});

test('clocks of a new generation are told in full, also when they have passed the old ones', async (t) => {
  const { registry, now } = watched();
  now.process = processWith([rank(0, 2)]);
  await registry.text();
  now.process = processWith([rank(0, 5)], { generation: 4 });
  const text = await registry.text();
  t.is(valueIn(text, 'lockstep_phase_seconds_total{rank="0",phase="forward"'), 7);
  t.is(valueIn(text, 'lockstep_network_bytes_total{direction="out",kind="gradient"'), 9, 'what is not of ranks goes on');
  t.is(valueIn(text, 'lockstep_straggler_ratio'), undefined, 'clocks of two generations are not compared');
});

test('of a machine alone clocks begin anew when its ranks were started again', async (t) => {
  const { registry, now } = watched();
  now.process = processWith([rank(0, 2)], { generation: 0, recovery: { ...recovery, restarts: 0 } });
  await registry.text();
  now.process = processWith([rank(0, 5)], { generation: 0, recovery: { ...recovery, restarts: 1 } });
  t.is(valueIn(await registry.text(), 'lockstep_phase_seconds_total{rank="0",phase="forward"'), 7);
});

test('a machine alone tells what became of its ranks, each recovery once', async (t) => {
  const { registry, now } = watched();
  registry.begin(facts);
  now.process = processWith([rank(0, 1)], { generation: 0, recovery });
  await registry.text();
  now.process = processWith([rank(0, 1)], { generation: 0, recovery: { restarts: 4, replayedSteps: 3, seconds: [...recovery.seconds, 2] } });
  const text = await registry.text();
  t.is(valueIn(text, 'lockstep_rank_restarts_total'), 4);
  t.is(valueIn(text, 'lockstep_replayed_steps_total'), 3);
  t.is(valueIn(text, 'lockstep_recovery_duration_seconds_count'), 4);
  t.is(valueIn(text, 'lockstep_recovery_duration_seconds_sum'), 3.5);
});

test('a coordinator counts recoveries as the run does, and restarts of its own ranks beside them', async (t) => {
  const { registry, now } = watched();
  registry.begin(facts);
  now.process = processWith([rank(0, 1)], { recovery });
  now.cluster = clusterWith('a', 'b');
  for (let scrape = 0; scrape < 2; scrape++) {
    const text = await registry.text();
    t.is(valueIn(text, 'lockstep_rank_restarts_total'), 3);
    t.is(valueIn(text, 'lockstep_replayed_steps_total'), 2);
    t.is(valueIn(text, 'lockstep_recovery_duration_seconds_count'), 2);
    t.is(valueIn(text, 'lockstep_recovery_duration_seconds_sum'), 2);
  }
});

test('what a coordinator recovered from before the run began is not lost', async (t) => {
  const { registry, now } = watched();
  now.cluster = clusterWith('a');
  await registry.text();
  registry.begin(facts);
  t.is(valueIn(await registry.text(), 'lockstep_recovery_duration_seconds_count'), 2);
});

test('checkpoints are counted by what became of them, and the last one that was written is told', async (t) => {
  const { registry } = watched();
  registry.begin(facts);
  registry.checkpoint(written);
  const first = await registry.text();
  const at = valueIn(first, 'lockstep_checkpoint_last_success_timestamp_seconds')!;
  t.true(Math.abs(at - Date.now() / 1000) < 60);
  registry.checkpoint({ ...written, step: 9, seconds: 2, bytes: 8192 });
  registry.checkpoint({ event: 'checkpoint', step: 11, result: 'postponed', stallSeconds: 0 });
  registry.checkpoint({ event: 'checkpoint', step: 13, result: 'failed', stallSeconds: 0.25 });
  const text = await registry.text();
  t.is(valueIn(text, 'lockstep_checkpoints_total{result="written"'), 2);
  t.is(valueIn(text, 'lockstep_checkpoints_total{result="postponed"'), 1);
  t.is(valueIn(text, 'lockstep_checkpoints_total{result="failed"'), 1);
  t.is(valueIn(text, 'lockstep_checkpoint_step'), 9);
  t.is(valueIn(text, 'lockstep_checkpoint_duration_seconds'), 2);
  t.is(valueIn(text, 'lockstep_checkpoint_bytes'), 8192);
  t.is(valueIn(text, 'lockstep_checkpoint_stall_seconds_total'), 1.25);
});

test('a run with checkpoints tells from its start that there are none yet, one without tells nothing of them', async (t) => {
  const [has, hasNot] = [watched().registry, watched().registry];
  has.begin(facts);
  hasNot.begin({ ...facts, checkpoints: false });
  const text = await has.text();
  for (const result of ['written', 'failed', 'postponed']) t.is(valueIn(text, `lockstep_checkpoints_total{result="${result}"`), 0);
  t.is(valueIn(text, 'lockstep_checkpoint_stall_seconds_total'), 0);
  t.is(valueIn(text, 'lockstep_checkpoint_last_success_timestamp_seconds'), undefined);
  t.deepEqual(
    [...told(await hasNot.text())].filter((name) => name.includes('checkpoint')),
    [],
  );
});

test('a process that does not lead tells no zeros of what only the leading one knows, which tells them from its start', async (t) => {
  const { registry, now } = watched();
  now.process = processWith([rank(0, 1)], { recovery });
  const everywhere = Object.values(metrics).filter(({ toldBy }) => toldBy === 'every process');
  const joined = told(await registry.text());
  t.deepEqual(
    [...joined].sort(),
    everywhere
      .map(({ name }) => name)
      .filter((name) => !/straggler|parallel/.test(name))
      .sort(),
    'those two compare two scrapes',
  );
  registry.begin(facts);
  const text = await registry.text();
  for (const name of ['samples_total', 'clipped_steps_total', 'step_duration_seconds_count', 'gradient_norms_count', 'stale_messages_total'])
    t.is(valueIn(text, `lockstep_${name}`), 0, name);
});

test('series of hosts that are gone go with them, however many came and left', async (t) => {
  const { registry, now } = watched();
  now.process = processWith([rank(0, 1)]);
  const counts = new Set<number>();
  for (let i = 0; i < 50; i++) {
    now.cluster = clusterWith('a', `guest-${i}`);
    const text = await registry.text();
    counts.add(text.split('\n').filter((line) => line.startsWith('lockstep_')).length);
    t.is(valueIn(text, `lockstep_host_shards{host="guest-${i}"`), 4);
    t.is(valueIn(text, `lockstep_host_shards{host="guest-${i - 1}"`), undefined);
  }
  t.is(counts.size, 1);
});

test('before there is anything to tell nothing is told of a run', async (t) => {
  const { registry } = watched();
  const text = await registry.text();
  t.deepEqual([...told(text)], []);
});

test('the state of the run is one of them', async (t) => {
  const { registry } = watched();
  registry.state('recovering');
  registry.state('done');
  const text = await registry.text();
  t.is(valueIn(text, 'lockstep_run_state{state="done"'), 1);
  t.is(text.split('\n').filter((line) => /^lockstep_run_state\{.* 1$/.test(line)).length, 1);
});
