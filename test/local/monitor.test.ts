/**
 * Room: tests of local. A real run that is watched: what a scrape tells is what the run's events and the arena say, and being watched changes no bit of it.
 */
import test from 'ava';
import type { Crew } from '../../src/local/crew.ts';
import { Monitor } from '../../src/local/monitor.ts';
import { snapshotOf } from '../../src/local/snapshot.ts';
import { type TrainOptions, train } from '../../src/local/train.ts';
import type { ProcessSnapshot } from '../../src/telemetry/snapshot.ts';
import { until } from '../cluster/transport/sockets.ts';
import { normalized } from '../contracts/collectives/recipes.ts';

test('a scrape in the midst of a run, and one after it', async (t) => {
  const monitor = await Monitor.open({ host: '127.0.0.1', port: 0, identity: () => ({ run: 'r', host: 'h' }) });
  t.teardown(() => monitor.close());
  const scrape = async (): Promise<string> => (await fetch(`http://127.0.0.1:${monitor.port}/metrics`)).text();
  let crew: Crew | undefined;
  let during = '';
  const options: TrainOptions = normalized({
    onCrew: (now) => {
      crew = now;
      monitor.watch({ snapshot: () => now.snapshot?.(), observe: () => now.station.team.observe() });
    },
    onEvent: (event) => monitor.take(event),
    onEpoch: ({ epoch }) => {
      if (epoch > 0) return;
      crew!.station.team.observe();
      void scrape().then((text) => {
        during = text;
      });
    },
  });
  const run = await train(options);
  await until('a scrape', () => during !== '');
  await monitor.end('done');
  const after = await scrape();
  t.regex(after, new RegExp(`^lockstep_step\\{.*\\} ${run.steps}$`, 'm'));
  t.regex(after, new RegExp(`^lockstep_steps_total\\{result="applied".*\\} ${run.steps}$`, 'm'));
  t.regex(after, /^lockstep_run_state\{state="done".*\} 1$/m);
  t.regex(after, /^lockstep_bn_drift\{layer="[a-z_]+".*\} 0\.\d+$/m);
  t.regex(during, /^lockstep_rank_compute_seconds_total\{rank="0".*\} 0\.\d+$/m);
  t.is(run.weightsSha256, (await train(normalized())).weightsSha256, 'who is watched computes the same bits');
  t.is(await (await fetch(`http://127.0.0.1:${monitor.port}/healthz`)).text(), 'ok\n');
  t.deepEqual(await (await fetch(`http://127.0.0.1:${monitor.port}/targets`)).json(), [{ targets: [`127.0.0.1:${monitor.port}`], labels: {} }]);
});

test('what is observed of a step is what that step did', async (t) => {
  const states: Float64Array[] = [];
  let seen: ProcessSnapshot | undefined;
  let look = (): void => {};
  await train(
    normalized({
      steps: 1,
      workers: 2,
      onCrew({ station }) {
        const { plan, arena } = station;
        const at = plan.parameters >>> 2;
        look = () => {
          states.push(Float64Array.from(plan.tensors.flatMap(({ offset, size }) => [...arena.f32.subarray(at + (offset >>> 2), at + (offset >>> 2) + size)])));
          seen = snapshotOf(station);
        };
        look();
        // Asked for before the first command: its first step is observed.
        station.team.observe();
      },
      onEpoch: () => look(),
    }),
  );
  const [before, after] = states as [Float64Array, Float64Array];
  const norm = (values: Float64Array): number => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
  const { step, updateRatio, layerGradientNorms, bnDrift } = seen!.observed!;
  t.is(step, 1);
  t.true(Math.abs(updateRatio - norm(after.map((value, i) => value - before[i]!)) / norm(before)) < 1e-6 * updateRatio);
  for (const [layer, value] of layerGradientNorms) t.true(value >= 0 && Number.isFinite(value), layer);
  t.is(bnDrift.length, 2);
  t.is(seen!.bnVarianceMin.length, 2);
  t.is(seen!.ranks.length, 2);
  t.is(seen!.shards, 5);
  t.is(seen!.bnSyncs, 3, 'forward of both normalisations, backward of the second: the first is part of the Dense after it');
});
