/**
 * Room: tests of scripts. What counts as growth: memory beyond five hundredths either way, and one thread, file, socket or series more than before.
 */
import test from 'ava';
import { judge } from '../../../scripts/soak/judge.ts';
import { type Kind, kinds, type Sample } from '../../../scripts/soak/sample.ts';

const still: Sample = { rss: 100, threads: 9, files: 20, sockets: 6, series: 300 };
const soaked = (change: (index: number) => Partial<Sample>): Sample[] => Array.from({ length: 100 }, (_, index) => ({ ...still, ...change(index) }));
const wrong = (samples: readonly Sample[]): Kind[] => judge(samples).flatMap(({ kind, ok }) => (ok ? [] : [kind]));

test('what stays as it is, warms up, or is high for a moment is right', (t) => {
  t.deepEqual(wrong(soaked(() => ({}))), []);
  t.deepEqual(wrong(soaked((i) => (i < 20 ? { rss: 50 + i, threads: 2, series: 100 } : {}))), []);
  t.deepEqual(wrong(soaked((i) => (i === 99 ? { rss: 900, sockets: 40 } : {}))), []);
});

test('what grows a little all the time is found', (t) => {
  t.deepEqual(wrong(soaked((i) => ({ rss: 100 + i / 10 }))), ['rss']);
  t.deepEqual(wrong(soaked((i) => ({ rss: 100 - i / 10 }))), ['rss']);
  t.deepEqual(wrong(soaked((i) => ({ rss: 100 + i / 20 }))), []);
  for (const kind of kinds.slice(1)) t.deepEqual(wrong(soaked((i) => ({ [kind]: still[kind] + Math.floor(i / 50) }))), [kind]);
});

test('too few samples are no ground to judge on', (t) => {
  t.throws(() => judge(soaked(() => ({})).slice(0, 9)), { instanceOf: RangeError });
});
