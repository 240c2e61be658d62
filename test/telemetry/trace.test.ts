/** Room: tests of telemetry. Recordings as Chrome's trace events. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { LockstepError } from '../../src/errors.ts';
import type { Recording } from '../../src/telemetry/recording.ts';
import { phaseIndex } from '../../src/telemetry/timing.ts';
import { type TraceProcess, traceEvents, writeTrace } from '../../src/telemetry/trace.ts';

const folder = mkdtempSync(join(tmpdir(), 'lockstep-trace-'));
test.after.always(() => rmSync(folder, { recursive: true }));

const { forward, network } = phaseIndex;
const origin = 1_700_000_000_000.25;

const recording: Recording = {
  origin,
  steps: [
    {
      step: 3,
      from: 1,
      to: 2.5,
      phases: [
        { phase: forward, awaits: -1, from: 1.0006, to: 1.5 },
        { phase: network, awaits: 1, from: 1.5, to: 2.4999 },
      ],
      announcements: [{ kind: 0, index: 4, at: 1.6 }],
    },
  ],
  isFull: false,
};

const host: TraceProcess = {
  host: 2,
  name: 'node-2',
  recordings: [{ ...recording, steps: [] }, recording],
  arrivals: ['statistics', 'verdicts'],
  announcements: ['losses'],
};

test('processes are hosts, threads are ranks, steps and their phases are complete events in whole microseconds', (t) => {
  const [pid, at] = [2, 1_700_000_000_000_250];
  t.deepEqual(traceEvents([host]), [
    { ph: 'M', name: 'process_name', pid, tid: 0, args: { name: 'node-2' } },
    { ph: 'M', name: 'process_sort_index', pid, tid: 0, args: { sort_index: 2 } },
    { ph: 'M', name: 'thread_name', pid, tid: 0, args: { name: 'rank 0' } },
    { ph: 'M', name: 'thread_sort_index', pid, tid: 0, args: { sort_index: 0 } },
    { ph: 'M', name: 'thread_name', pid, tid: 1, args: { name: 'rank 1' } },
    { ph: 'M', name: 'thread_sort_index', pid, tid: 1, args: { sort_index: 1 } },
    { ph: 'X', name: 'step 3', cat: 'step', pid, tid: 1, ts: at + 1000, dur: 1500, args: { step: 3 } },
    { ph: 'X', name: 'forward', cat: 'phase', pid, tid: 1, ts: at + 1000, dur: 500, args: { step: 3 } },
    { ph: 'X', name: 'network', cat: 'phase', pid, tid: 1, ts: at + 1500, dur: 999, args: { step: 3, waitsFor: 'verdicts' } },
    { ph: 'i', s: 't', name: 'send losses', cat: 'network', pid, tid: 1, ts: at + 1600, args: { step: 3, index: 4 } },
  ]);
});

test('the file is one JSON object with an event a line', (t) => {
  const path = join(folder, 'trace.json');
  const processes = [host, { ...host, host: 3, name: 'a "name"' }];
  writeTrace(path, processes);
  const text = readFileSync(path, 'utf8');
  t.deepEqual(JSON.parse(text), { displayTimeUnit: 'ms', otherData: { writer: 'lockstep' }, traceEvents: traceEvents(processes) });
  t.is(text.split('\n').length, traceEvents(processes).length + 3);
});

test('a run without a recorded step is a valid trace, and hosts whose recording ended early are named', (t) => {
  const path = join(folder, 'empty.json');
  writeTrace(path, []);
  t.deepEqual(JSON.parse(readFileSync(path, 'utf8')), { displayTimeUnit: 'ms', otherData: { writer: 'lockstep' }, traceEvents: [] });
  writeTrace(path, [host, { ...host, name: 'short', recordings: [recording, { ...recording, isFull: true }] }]);
  t.deepEqual((JSON.parse(readFileSync(path, 'utf8')) as { otherData: unknown }).otherData, { writer: 'lockstep', truncated: ['short'] });
});

test('a trace that cannot be written is refused with its path and the mend', (t) => {
  const path = join(folder, 'absent', 'trace.json');
  t.throws(() => writeTrace(path, [host]), {
    instanceOf: LockstepError,
    code: 'LOCKSTEP_FILE',
    message: `Expected to write the trace \`${path}\`, but the system refused (ENOENT); check that its folder exists and can be written.`,
  });
});
