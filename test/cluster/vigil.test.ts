/**
 * Room: tests of cluster. Who is given up, by a clock of the test's own: silent hosts at once, and of hosts that all give signs of life the one that keeps a step
 * waiting, but not before a step is as long as none was.
 */
import test from 'ava';
import type { Guest } from '../../cluster/guests.ts';
import type { RankPlace } from '../../cluster/membership/silence.ts';
import type { RunState } from '../../cluster/membership/state.ts';
import { heartbeatMs, Vigil } from '../../cluster/vigil.ts';
import { phaseIndex } from '../../src/telemetry/timing.ts';

const place = (step: number, phase: keyof typeof phaseIndex): RankPlace => ({ step, phase: phaseIndex[phase], layer: -1 });

/** Two hosts beside the coordinator, and a run of steps of 250 ms while `goesOn`. */
function open() {
  const scene = { now: 0, generation: 1, step: 0, goesOn: true, isSilent: false, run: { phase: 'running', awaited: [] } as Pick<RunState, 'phase' | 'awaited'> };
  const hosts = ['first', 'second'].map((name, i) => ({ id: i + 1, name, signs: { name, heartbeatAt: 0, progressAt: 0, ranks: [place(1, 'wait')] } }));
  const member = {
    get generation() {
      return scene.generation;
    },
    get committed() {
      return scene.step;
    },
    get progress() {
      return [place(scene.step + 1, 'wait')];
    },
    placeOf: (id: number) => ({ first: id, end: id + 1 }),
    layers: [],
  };
  const vigil = new Vigil({ all: hosts as unknown as Guest[] }, member, 5000);
  const begin = (kind: 'train' | 'evaluate'): void =>
    void vigil.over(
      kind,
      () => scene.now,
      () => new Promise(() => {}),
    );
  /** Who is given up at which second, in the next so many. */
  function watch(seconds: number, before: () => void = () => {}): [second: number, sentence: string][] {
    const lost: [number, string][] = [];
    for (const until = scene.now + 1000 * seconds; scene.now < until; ) {
      scene.now += heartbeatMs;
      if (scene.goesOn) scene.step += 2;
      before();
      for (const { signs } of hosts) {
        if (!scene.isSilent) signs.heartbeatAt = scene.now;
        if (scene.goesOn) Object.assign(signs, { progressAt: scene.now, ranks: [place(scene.step + 1, 'wait')] });
      }
      for (const { sentence } of vigil.look(scene.now, scene.run)) lost.push([scene.now / 1000, sentence]);
    }
    return lost;
  }
  /** A command of ten such steps that nobody looks at. */
  async function unseen(): Promise<void> {
    const work = vigil.over(
      'train',
      () => scene.now,
      () => Promise.resolve(),
    );
    scene.now += heartbeatMs - 1;
    scene.step += 10;
    await work;
  }
  return { scene, hosts, begin, watch, unseen };
}

test('a run that goes on, and one that has nothing to do, lose nobody', (t) => {
  const { scene, hosts, begin, watch } = open();
  begin('train');
  t.deepEqual(watch(300), []);
  scene.goesOn = false;
  for (const { signs } of hosts) signs.ranks = [place(-1, 'forward')];
  begin('evaluate');
  t.deepEqual(watch(300), []);
});

test('who is silent is lost after the timeout, and not blamed for the step too', (t) => {
  const { scene, begin, watch } = open();
  begin('train');
  watch(2);
  scene.goesOn = false;
  scene.isSilent = true;
  const lost = watch(8).slice(0, 2);
  t.deepEqual(
    lost.map(([second]) => second),
    [7.5, 7.5],
  );
  t.regex(lost[0]![1], /^Host first \(rank 0, shard 1\) was silent for more than 5 s: /);
});

test('of a step that stands still, who computes is given up, and the next one as long after', (t) => {
  const { scene, hosts, begin, watch } = open();
  begin('train');
  watch(20);
  scene.goesOn = false;
  hosts[1]!.signs.ranks = [place(scene.step + 1, 'backward')];
  const lost = watch(25);
  t.is(lost.length, 1);
  t.is(lost[0]![0], 33);
  t.regex(lost[0]![1], /^Host second \(rank 0, shard 2\) keeps a step waiting: .* in step 81, phase backward\.$/);
});

test('of those who all wait, the one at an earlier step is given up, then the one that has been there for longest', (t) => {
  const { scene, hosts, begin, watch } = open();
  begin('train');
  watch(20);
  scene.goesOn = false;
  hosts[0]!.signs.progressAt += 1;
  t.regex(watch(14)[0]![1], /^Host second /);
  hosts[0]!.signs.ranks = [place(3, 'network')];
  t.regex(watch(14)[0]![1], /^Host first /);
});

test('long steps are given eight times their median, and the first one two minutes', (t) => {
  const { scene, begin, watch } = open();
  scene.goesOn = false;
  begin('train');
  t.deepEqual(
    watch(130).map(([second]) => second),
    [123],
  );
  // Steps of six seconds.
  for (let step = 1; step <= 5; step++) {
    watch(5.5);
    scene.step = step;
    watch(0.5);
  }
  const since = scene.now / 1000;
  t.deepEqual(
    watch(60).map(([second]) => second - since),
    [50.5],
  );
});

test('steps are timed that nobody looked at', async (t) => {
  const { scene, begin, watch, unseen } = open();
  await unseen();
  const since = scene.now / 1000;
  scene.goesOn = false;
  begin('train');
  t.deepEqual(
    watch(20).map(([second]) => second - since),
    [12.5],
  );
});

test('a process that was stopped for a minute blames nobody for it', (t) => {
  const { scene, begin, watch } = open();
  begin('train');
  watch(20);
  scene.goesOn = false;
  watch(5);
  scene.now += 60_000;
  t.deepEqual(watch(5), []);
});

test('an evaluation has no deadline, but hosts that have not come to it have one', (t) => {
  const { scene, hosts, begin, watch } = open();
  begin('train');
  watch(20);
  scene.goesOn = false;
  begin('evaluate');
  for (const { signs } of hosts) signs.ranks = [place(-1, 'forward')];
  t.deepEqual(watch(60), []);
  hosts[1]!.signs.ranks = [place(scene.step, 'backward')];
  t.regex(watch(14)[0]![1], /^Host second .* keeps a step waiting: /);
});

test('who does not come to the end of a step that the coordinator has behind it is given up, in an evaluation and while getting ready nobody', async (t) => {
  const { scene, hosts, unseen, watch } = open();
  await unseen();
  scene.goesOn = false;
  hosts[0]!.signs.ranks = [place(scene.step, 'wait')];
  hosts[1]!.signs.ranks = [place(scene.step, 'network')];
  // All stand.
  t.deepEqual(watch(300), []);
  scene.run = { phase: 'forming', awaited: [2] };
  t.deepEqual(watch(300), []);
  const since = scene.now / 1000;
  scene.run = { phase: 'running', awaited: [2] };
  const lost = watch(200);
  t.deepEqual(
    lost.map(([second]) => second - since),
    [122.5],
  );
  t.regex(lost[0]![1], /^Host second .* keeps a step waiting: /);
  hosts[1]!.signs.ranks = [place(-1, 'forward')];
  t.deepEqual(watch(300), []);
});

test('how long steps took among other hosts says nothing', (t) => {
  const { scene, hosts, begin, watch } = open();
  begin('train');
  watch(20);
  scene.generation = 2;
  scene.goesOn = false;
  begin('train');
  const since = scene.now / 1000;
  hosts[0]!.signs.ranks = [place(scene.step + 1, 'forward')];
  t.deepEqual(
    watch(130).map(([second]) => second - since),
    [123],
  );
});
