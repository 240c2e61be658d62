/**
 * Room: tests of scripts. What happens in a run of chaos is decided by its seed alone, no process is asked for more than it can give, and
 * every scenario and every phase is drawn before long.
 */
import test from 'ava';
import { ends, scenarios } from '../../../scripts/chaos/scenarios.ts';
import { type Fault, lengths, planRun, stepsOf } from '../../../scripts/chaos/schedule.ts';

const plans = Array.from({ length: 200 }, (_, index) => planRun(7, index, scenarios));

test('the same seed and number give the same plan, others give others', (t) => {
  t.deepEqual(
    plans.map(({ index }) => planRun(7, index, scenarios)),
    plans,
  );
  const texts = new Set(plans.map(({ faults }) => JSON.stringify(faults)));
  t.is(texts.size, plans.length);
  t.notDeepEqual(planRun(8, 0, scenarios).faults, plans[0]!.faults);
});

test('a plan is what it has always been: who noted a seed can repeat its run', (t) => {
  const table = scenarios.filter(({ victim, place }) => victim === 'host' && place === 'outside');
  const { faults, workers, topology, minHosts } = planRun(1, 0, table, { faults: 3, gap: 100 });
  t.deepEqual({ workers, topology, minHosts }, { workers: [1, 1, 2], topology: 'star', minHosts: 1 });
  t.deepEqual(
    faults.map(({ at, scenario, slot }) => [at, scenario, slot]),
    [
      [241, 'host-stop', 1],
      [319, 'host-cut', 2],
      [409, 'host-join', 2],
    ],
  );
});

/** What these plans name that is drawn in none of the first `count` runs. */
function absent(wanted: readonly string[], count: number, name: (fault: Fault) => string | undefined): string[] {
  const drawn = new Set(Array.from({ length: count }, (_, index) => planRun(7, index, scenarios).faults.map(name)).flat());
  return wanted.filter((one) => !drawn.has(one));
}

test('every scenario comes before long, every phase too, and in the end each in every phase that it has', (t) => {
  const phaseOf = (fault: Fault): string | undefined => (fault.place === 'inside' ? fault.phase : undefined);
  const pairs = scenarios.flatMap((scenario) => (scenario.place === 'inside' ? scenario.phases.map((phase) => `${scenario.name} ${phase}`) : []));
  t.deepEqual(
    absent(
      scenarios.map(({ name }) => name),
      150,
      ({ scenario }) => scenario,
    ),
    [],
  );
  t.deepEqual(absent([...new Set(scenarios.flatMap((scenario) => (scenario.place === 'inside' ? scenario.phases : [])))], 30, phaseOf), []);
  t.deepEqual(
    absent(pairs, 3000, (fault) => `${fault.scenario} ${phaseOf(fault)}`),
    [],
  );
});

test('faults come in order, inside the run, and to processes that there are', (t) => {
  for (const { faults, workers, steps, kind, minHosts } of plans) {
    t.is(steps, stepsOf(lengths));
    t.true(minHosts <= workers.length);
    for (const [i, { at, slot, victim }] of faults.entries()) {
      t.true(at > (faults[i - 1]?.at ?? lengths.gap) && at < steps);
      t.is(victim === 'lone', kind === 'lone');
      t.is(slot > 0, victim === 'host');
      t.true(slot < workers.length);
    }
  }
});

test('a process is hit from inside once, by a rank that it has, a host after it was left alone for a while', (t) => {
  for (const { faults, workers } of plans) {
    for (const [i, fault] of faults.entries()) {
      if (fault.place === 'outside') continue;
      t.true(fault.rank < workers[fault.slot]!);
      const before = faults.slice(0, i).filter(({ slot, kind }) => slot === fault.slot && kind !== 'join');
      const ended = before.findLastIndex((earlier) => ends(earlier));
      t.false(before.slice(ended + 1).some(({ place }) => place === 'inside'));
      if (fault.slot > 0) t.false(faults.slice(Math.max(0, i - 2), i).some(({ slot, kind }) => slot === fault.slot && kind !== 'join'));
    }
  }
});

test('a run keeps checkpoints if and only if it is to be started again', (t) => {
  for (const { resumes, faults } of plans) {
    t.is(
      resumes,
      faults.some(({ victim, kind }) => victim !== 'host' && (kind === 'kill' || kind === 'writing')),
    );
  }
});
