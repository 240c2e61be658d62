/**
 * Room: tests of local. Who is taken for stuck, by a clock and an arena of the test's own: who gives no sign for eight steps as they were seen, also when
 * no look fell into them, and nobody who waits or has ended.
 */
import test from 'ava';
import { defaultVigil, Vigil } from '../../src/local/vigil.ts';
import type { Arena } from '../../src/memory/arena.ts';
import type { RunPlan } from '../../src/model/plan.ts';
import { phaseIndex, phases } from '../../src/telemetry/timing.ts';

const { everyMs, floorMs, steps, unmeasuredMs } = defaultVigil;

interface Standing {
  readonly ended?: ReadonlySet<number>;
  readonly dismissed?: boolean;
  readonly steps?: boolean;
  /** Done before each look. */
  readonly each?: () => void;
}

/** Two ranks; the standing's step is the first word, then come their times. */
function open() {
  const timesBytes = 8 * phases.length + 8;
  const i32 = new Int32Array(2 + timesBytes / 2);
  const arena = { i32 } as unknown as Arena;
  const plan = { standing: 0, ranks: [{ times: 8 }, { times: 8 + timesBytes }] } as unknown as RunPlan;
  const vigil = new Vigil(defaultVigil);
  const scene = { now: 1000 };
  const beat = (rank: number, phase: keyof typeof phaseIndex): void => {
    const at = (8 + rank * timesBytes) / 4 + 2 * phases.length;
    i32[at] = phaseIndex[phase];
    i32[at + 1]!++;
  };
  /** A command of so many steps of so many ms, looked at as often as is due. */
  const command = (count: number, stepMs: number, ranks: readonly number[] = [0, 1]): void => {
    vigil.begin(arena, plan, scene.now, true);
    for (let ms = 1; ms <= count * stepMs; ms++) {
      scene.now++;
      if (ms % stepMs === 0) {
        i32[0]!++;
        for (const rank of ranks) beat(rank, 'forward');
      }
      if (ms % everyMs === 0) vigil.look(arena, plan, scene.now);
    }
    vigil.end(arena, plan, scene.now);
  };
  /** Who is stuck, and after how long a command in which nothing happens. */
  const stand = (forMs: number, { ended, dismissed = false, steps: areSteps = true, each }: Standing = {}): [rank: number, ms: number] | undefined => {
    vigil.begin(arena, plan, scene.now, areSteps);
    if (dismissed) vigil.dismiss();
    for (const from = scene.now; scene.now - from < forMs; ) {
      scene.now += everyMs;
      each?.();
      const stuck = vigil.look(arena, plan, scene.now, ended);
      if (stuck) return [stuck.rank, scene.now - from];
    }
    return undefined;
  };
  return { vigil, beat, command, stand };
}

test('orders that are shorter than the time between two looks say how long a step takes', (t) => {
  const { beat, command, stand } = open();
  for (let order = 0; order < 3; order++) command(10, 5);
  beat(0, 'data');
  beat(1, 'wait');
  t.deepEqual(stand(2 * floorMs), [0, floorMs + 2 * everyMs]);
});

test('the longest steps are given eight times their median', (t) => {
  const { beat, command, stand } = open();
  command(5, 6000);
  beat(1, 'backward');
  beat(0, 'wait');
  t.is(stand(steps * 5000), undefined);
  t.is(stand(steps * 7000)?.[0], 1);
});

test('before a step was seen there are two minutes', (t) => {
  const { beat, stand } = open();
  beat(0, 'forward');
  beat(1, 'wait');
  t.is(stand(unmeasuredMs - 1000), undefined);
  t.deepEqual(stand(2 * unmeasuredMs), [0, unmeasuredMs + 2 * everyMs]);
});

test('who does not begin is stuck after two minutes, however short steps are', (t) => {
  const { beat, command, stand } = open();
  command(10, 50, [0]);
  beat(0, 'wait');
  t.is(stand(unmeasuredMs - 1000), undefined);
  t.deepEqual(stand(2 * unmeasuredMs), [1, unmeasuredMs + 2 * everyMs]);
});

test('batches of an evaluation may take longer than steps', (t) => {
  const { beat, command, stand } = open();
  command(10, 50);
  beat(0, 'forward');
  beat(1, 'wait');
  t.is(stand(unmeasuredMs - 1000, { steps: false }), undefined);
  t.deepEqual(stand(2 * unmeasuredMs, { steps: false }), [0, unmeasuredMs + 2 * everyMs]);
});

test('with more shards steps take longer, and after none nobody knows', (t) => {
  const { vigil, beat, command, stand } = open();
  command(10, 2000);
  vigil.expect(2, 1);
  beat(0, 'forward');
  beat(1, 'wait');
  t.is(stand(steps * 1500), undefined);
  t.is(stand(steps * 3000)?.[0], 0);
  vigil.expect(1, 3);
  t.is(stand(steps * 4500), undefined);
  t.is(stand(steps * 9000)?.[0], 0);
  vigil.expect(0, 3);
  t.is(stand(unmeasuredMs - 1000), undefined);
});

test('who waits or has ended is not stuck', (t) => {
  const { beat, command, stand } = open();
  command(10, 50);
  for (const rank of [0, 1]) beat(rank, rank === 0 ? 'wait' : 'network');
  t.is(stand(4 * floorMs), undefined);
  beat(0, 'loss');
  t.is(stand(4 * floorMs, { ended: new Set([0]) }), undefined);
  t.deepEqual(stand(4 * floorMs), [0, floorMs + 2 * everyMs]);
});

test('who waits where all are to leave is stuck', (t) => {
  const { beat, command, stand } = open();
  command(10, 50);
  for (const rank of [0, 1]) beat(rank, 'wait');
  t.is(stand(4 * floorMs), undefined);
  t.deepEqual(stand(4 * floorMs, { ended: new Set([0]), dismissed: true }), [1, floorMs + 2 * everyMs]);
  t.is(stand(4 * floorMs), undefined);
});

test('where all are to leave, who waits for one that goes on is not stuck', (t) => {
  const { beat, command, stand } = open();
  command(10, 50);
  beat(1, 'wait');
  t.is(stand(4 * floorMs, { dismissed: true, each: () => beat(0, 'forward') }), undefined);
});
