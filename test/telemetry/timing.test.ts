/** Room: tests of telemetry. The stopwatch of a rank: every moment goes to one phase. */
import test from 'ava';
import { Arena } from '../../src/memory/arena.ts';
import { MemoryPlan } from '../../src/memory/plan.ts';
import { PhaseClock, phaseIndex, readTimes, reserveTimes } from '../../src/telemetry/timing.ts';

/** Keeps the thread busy until the clock has moved on. */
function pass(): void {
  for (const began = performance.now(); performance.now() - began < 2; );
}

test('time goes to the phase that was entered, phases add up, and a restart forgets what was between', (t) => {
  const plan = new MemoryPlan();
  const address = reserveTimes(plan);
  const arena = Arena.create(plan.bytes);
  const began = performance.now();
  const clock = new PhaseClock(arena, address);
  clock.enter(phaseIndex.forward);
  pass();
  t.is(clock.enter(phaseIndex.wait), phaseIndex.forward);
  pass();
  t.is(clock.enter(phaseIndex.forward), phaseIndex.wait);
  pass();
  clock.enter(phaseIndex.optimizer);
  const before = readTimes(arena, address);
  pass();
  clock.restart(phaseIndex.data);
  const whole = (performance.now() - began) / 1000;
  t.true(before.forward >= 0.004);
  t.true(before.wait >= 0.002);
  t.true(before.forward + before.wait + before.data <= whole);
  t.deepEqual(readTimes(arena, address), { ...before, optimizer: 0, backward: 0, loss: 0, reduce: 0 });
});
