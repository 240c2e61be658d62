/**
 * Room: tests of scripts. What a report of chaos counts: faults by scenario and phase, those that did not come about apart, gaps of runs that go
 * on by themselves alone, and how to repeat what went wrong.
 */
import test from 'ava';
import { reportOf, reportText } from '../../../scripts/chaos/report.ts';
import type { RunOutcome } from '../../../scripts/chaos/run.ts';
import type { Fault, RunPlan } from '../../../scripts/chaos/schedule.ts';

const plan: RunPlan = { seed: 3, index: 0, kind: 'cluster', workers: [1, 1], topology: 'star', minHosts: 1, steps: 100, resumes: false, faults: [] };
const kill: Fault = { at: 10, scenario: 'host-kill', victim: 'host', slot: 1, place: 'outside', kind: 'kill' };
const inside = (phase: 'commit' | 'forward'): Fault => ({
  at: 20,
  scenario: 'host-rank-kill',
  victim: 'host',
  slot: 1,
  place: 'inside',
  kind: 'kill',
  phase,
  rank: 0,
});

function outcome(index: number, minHosts: number, faults: RunOutcome['faults'], verdict: RunOutcome['verdict'] = 'same bits'): RunOutcome {
  return { plan: { ...plan, index, minHosts }, verdict, detail: verdict === 'same bits' ? '' : 'reason', findings: [], seconds: 4, faults };
}

const outcomes = [
  outcome(0, 1, [
    { fault: kill, happened: true, gapMs: 300 },
    { fault: inside('commit'), happened: true, gapMs: 50.4 },
    { fault: inside('forward'), happened: false },
  ]),
  outcome(1, 2, [{ fault: kill, happened: true, gapMs: 9000 }]),
  outcome(2, 1, [{ fault: kill, happened: true, gapMs: 100 }], 'hang'),
];

test('faults are counted by scenario and phase, and gaps only where the run does not wait for hosts', (t) => {
  const { rows, faults, kills, runs, verdicts } = reportOf(3, 12.3, outcomes);
  t.deepEqual(rows, [
    { scenario: 'host-kill', faults: 3, missed: 0, gapMs: { median: 300, most: 300 } },
    { scenario: 'host-rank-kill', phase: 'commit', faults: 1, missed: 0, gapMs: { median: 50, most: 50 } },
    { scenario: 'host-rank-kill', phase: 'forward', faults: 0, missed: 1 },
  ]);
  t.deepEqual([faults, runs], [4, 3]);
  t.deepEqual(kills, { anywhere: 3, commit: 1 });
  t.deepEqual(verdicts, { 'same bits': 2, 'wrong bits': 0, hang: 1, failed: 0 });
});

test('the text says how to repeat what went wrong', (t) => {
  const lines = reportText(reportOf(3, 12.3, outcomes)).split('\n');
  t.regex(lines[1]!, /^host-kill +3 +0 +300 +300$/);
  t.deepEqual(lines.slice(4), [
    'kill -9 of a process: anywhere 3, commit 1',
    '3 runs in 12 s with 4 faults: 2 same bits, 0 wrong bits, 1 hang, 0 failed',
    'run 2: hang: reason; again: npm run chaos -- --seed 3 --run 2',
  ]);
});
