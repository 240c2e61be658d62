/** Room: tests of telemetry. The ring of step reports. */
import test from 'ava';
import { Arena } from '../../src/memory/arena.ts';
import { MemoryPlan } from '../../src/memory/plan.ts';
import { readReport, reportFields, reportIndex, reportStart, reserveReports, ringLength } from '../../src/telemetry/reports.ts';

test('a report is read as it was written, number by number', (t) => {
  const plan = new MemoryPlan();
  const layout = reserveReports(plan);
  const arena = Arena.create(plan.bytes);
  for (const [i, field] of reportFields.entries()) arena.f64[reportStart(layout, 5) + reportIndex[field]] = i + 0.5;
  t.deepEqual(readReport(arena, layout, 5), {
    step: 0.5,
    epoch: 1.5,
    samples: 2.5,
    loss: 3.5,
    accuracy: 4.5,
    gradNorm: 5.5,
    clipScale: 6.5,
    learningRate: 7.5,
    seconds: 8.5,
    skipped: 9.5,
    phase: 10.5,
    layer: 11.5,
    shard: 12.5,
  });
});

test('records of a whole ring lie apart, inside what was reserved, and the next one takes the place of the first', (t) => {
  const plan = new MemoryPlan();
  const layout = reserveReports(plan);
  const after = plan.reserve('control', 8);
  const starts = Array.from({ length: ringLength }, (_, report) => reportStart(layout, report));
  t.is(starts[0], layout / 8);
  t.true(starts.every((start, i) => i === 0 || start >= starts[i - 1]! + reportFields.length));
  t.true(8 * (starts.at(-1)! + reportFields.length) <= after);
  t.is(reportStart(layout, ringLength), starts[0]!);
  t.is(reportStart(layout, 7 * ringLength + 3), starts[3]!);
});
