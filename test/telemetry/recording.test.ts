/** Room: tests of telemetry. What a rank records: its first steps, in a bounded area, in order. */
import test from 'ava';
import { Arena } from '../../src/memory/arena.ts';
import { MemoryPlan } from '../../src/memory/plan.ts';
import { isRecorded, Recorder, type RecordingPlace, readRecording, reserveRecording } from '../../src/telemetry/recording.ts';
import { PhaseClock, phaseIndex, reserveTimes } from '../../src/telemetry/timing.ts';

const { forward, wait, network } = phaseIndex;

/** An area, and how far it and what follows it in the arena have been written. */
function area(steps: number, entriesPerStep: number): { readonly arena: Arena; readonly place: RecordingPlace; readonly behind: () => boolean } {
  const plan = new MemoryPlan();
  const place = reserveRecording(plan, steps, entriesPerStep);
  const end = plan.reserve('control', 64);
  const arena = Arena.create(plan.bytes);
  return { arena, place, behind: () => arena.u8.subarray(end).some((byte) => byte !== 0) };
}

/** What was recorded, without times. */
function outline(arena: Arena, place: RecordingPlace): readonly unknown[] {
  return readRecording(arena, place).steps.map(({ step, phases, announcements }) => [
    step,
    phases.map(({ phase, awaits }) => (awaits < 0 ? phase : [phase, awaits])),
    announcements.map(({ kind, index }) => [kind, index]),
  ]);
}

test('phases follow each other without gaps inside their step; what is outside of steps is not recorded', (t) => {
  const { arena, place } = area(2, 20);
  const recorder = new Recorder(arena, place);
  const before = performance.now();
  recorder.enter(wait);
  recorder.announced(1, 1);
  recorder.awaits(3);
  for (const step of [7, 8]) {
    t.false(isRecorded(arena, place));
    recorder.beginStep(step);
    recorder.enter(forward);
    recorder.enter(network);
    recorder.awaits(4);
    recorder.announced(2, step);
    recorder.enter(forward);
    recorder.endStep();
    recorder.enter(wait);
  }
  const after = performance.now();
  t.true(isRecorded(arena, place));
  t.deepEqual(outline(arena, place), [
    [7, [forward, [network, 4], forward], [[2, 7]]],
    [8, [forward, [network, 4], forward], [[2, 8]]],
  ]);
  const { origin, steps, isFull } = readRecording(arena, place);
  t.is(origin, performance.timeOrigin);
  t.false(isFull);
  const times = steps.flatMap(({ from, to, phases, announcements }) => [
    from,
    phases[0]!.from,
    ...phases.slice(0, 2).map((phase) => phase.to),
    phases[2]!.from,
    phases[2]!.to,
    to,
    ...announcements.map(({ at }) => at).filter((at) => at < phases[1]!.from || at > phases[1]!.to),
  ]);
  t.deepEqual(
    times,
    times.toSorted((a, b) => a - b),
  );
  t.true(times[0]! >= before && times.at(-1)! <= after);
  for (const { phases } of steps) for (const [i, { from }] of phases.entries()) if (i > 0) t.is(from, phases[i - 1]!.to);
});

test('only the first steps are recorded; a recorder that comes later goes on, and a step that was given up counts', (t) => {
  const { arena, place } = area(3, 20);
  const first = new Recorder(arena, place);
  first.beginStep(1);
  first.enter(forward);
  first.endStep();
  first.beginStep(2);
  first.enter(network);
  first.endStep();
  const second = new Recorder(arena, place);
  for (const step of [2, 3, 4]) {
    second.beginStep(step);
    second.enter(forward);
    second.endStep();
  }
  t.deepEqual(outline(arena, place), [
    [1, [forward], []],
    [2, [network], []],
    [2, [forward], []],
  ]);
  t.true(isRecorded(arena, place));
});

test('times of another thread are told from the origin of the first', (t) => {
  const { arena, place } = area(1, 20);
  arena.f64[place.address >>> 3] = performance.timeOrigin - 5000;
  const before = performance.now();
  const recorder = new Recorder(arena, place);
  recorder.beginStep(1);
  recorder.endStep();
  const { origin, steps } = readRecording(arena, place);
  t.is(origin, performance.timeOrigin - 5000);
  t.true(steps[0]!.from >= before + 5000 - 0.001 && steps[0]!.to <= performance.now() + 5000.001);
});

test('a step that is running shows the phases that are over', (t) => {
  const { arena, place } = area(1, 20);
  const recorder = new Recorder(arena, place);
  t.deepEqual(readRecording(arena, place).steps, []);
  recorder.beginStep(1);
  t.deepEqual(outline(arena, place), [[1, [], []]]);
  recorder.enter(forward);
  recorder.enter(wait);
  t.deepEqual(outline(arena, place), [[1, [forward], []]]);
  t.false(isRecorded(arena, place));
});

test('a full area ends early, says so, and is never overrun', (t) => {
  for (let entries = 1; entries <= 12; entries++) {
    const { arena, place, behind } = area(1, entries);
    const recorder = new Recorder(arena, { ...place, steps: 3 });
    for (const step of [1, 2, 3]) {
      recorder.beginStep(step);
      recorder.enter(forward);
      recorder.awaits(5);
      recorder.announced(1, 2);
      recorder.endStep();
    }
    const { steps, isFull } = readRecording(arena, place);
    t.is(isFull, entries < 12);
    t.true(isRecorded(arena, { ...place, steps: 3 }));
    t.is(steps.length, Math.ceil(entries / 4));
    t.deepEqual(
      steps.map(({ phases, announcements }) => [phases.map(({ awaits }) => awaits), announcements.length]),
      steps.map((_, i) => [entries >= 4 * i + 4 ? [5] : [], entries >= 4 * i + 3 ? 1 : 0]),
    );
    t.false(behind());
  }
});

test('a clock tells its recorder of every switch, and goes on without one', (t) => {
  const plan = new MemoryPlan();
  const [times, place] = [reserveTimes(plan), reserveRecording(plan, 1, 20)];
  const arena = Arena.create(plan.bytes);
  const recorder = new Recorder(arena, place);
  const clock = new PhaseClock(arena, times, recorder);
  recorder.beginStep(1);
  clock.enter(forward);
  const before = clock.enter(wait);
  clock.enter(before);
  recorder.endStep();
  new PhaseClock(arena, times).enter(network);
  t.deepEqual(outline(arena, place), [[1, [forward, wait, forward], []]]);
});
