/** Room: tests of telemetry. The ring of step reports. */
import test from 'ava';
import { MemoryPlan } from '../../src/memory/plan.ts';
import { reportFields, reportStart, reserveReports, ringLength } from '../../src/telemetry/reports.ts';

test('records of a whole ring lie apart, inside what was reserved, and the next one takes the place of the first', (t) => {
  for (const metrics of [0, 1, 4, 5, 30]) {
    const plan = new MemoryPlan();
    const layout = reserveReports(plan, metrics);
    const after = plan.reserve('control', 8);
    const starts = Array.from({ length: ringLength }, (_, report) => reportStart(layout, report));
    t.is(starts[0], layout.address / 8);
    t.true(starts.every((start, i) => i === 0 || start >= starts[i - 1]! + reportFields.length + metrics));
    t.true(8 * (starts.at(-1)! + reportFields.length + metrics) <= after);
    t.is(reportStart(layout, ringLength), starts[0]!);
    t.is(reportStart(layout, 7 * ringLength + 3), starts[3]!);
  }
});
