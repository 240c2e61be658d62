/** Room: tests of telemetry. What counters of others grew by, also when their source began anew. */
import test from 'ava';
import { Totals } from '../../src/telemetry/totals.ts';

test('growth is by metric and labels', (t) => {
  const totals = new Totals();
  t.is(totals.growth('networkBytes', { kind: 'step' }, 5), 5);
  t.is(totals.growth('networkBytes', { kind: 'control' }, 3), 3);
  t.is(totals.growth('networkMessages', { kind: 'step' }, 1), 1);
  t.is(totals.growth('networkBytes', { kind: 'step' }, 7), 2);
});

test('a source that shrank began anew', (t) => {
  const totals = new Totals();
  totals.growth('reconnects', {}, 5);
  t.is(totals.growth('reconnects', {}, 2), 2);
  t.is(totals.growth('reconnects', {}, 3), 1);
});

test('with the memory of ranks begins what they count, also when it has passed the old total by then', (t) => {
  const totals = new Totals();
  for (const key of ['phaseSeconds', 'bnSyncs', 'networkBytes'] as const) totals.growth(key, {}, 10);
  t.true(totals.enter(2));
  t.is(totals.growth('phaseSeconds', {}, 12), 12);
  t.is(totals.growth('bnSyncs', {}, 4), 4);
  t.is(totals.growth('networkBytes', {}, 12), 2, 'what is not of ranks goes on');
  t.false(totals.enter(2));
  t.is(totals.growth('phaseSeconds', {}, 13), 1);
});
