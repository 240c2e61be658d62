/**
 * Room: tests of local. What a run directory says to a process that is started again, also when its writer was killed within a line, and
 * what is said when the system refuses it.
 */
import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { noteEpoch, noteRun, openRunDirectory } from '../../src/local/run-directory.ts';
import type { EpochEvent } from '../../src/telemetry/events.ts';

function folder(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'lockstep-run-directory-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

const epoch = (number: number, loss: number): EpochEvent =>
  ({ event: 'epoch', epoch: number, steps: 3, loss, metrics: {}, seconds: 1, samplesPerSecond: 1 }) as unknown as EpochEvent;
const noNews = (sentence: string): never => {
  throw new Error(sentence);
};

test('what was noted of a run is found again: name, shards, hosts and epochs', async (t) => {
  const runDir = folder(t);
  const begun = await openRunDirectory({ runDir, runId: 'first' });
  t.is(begun.runId, 'first');
  t.is(begun.shards, undefined);
  noteRun(begun, { shards: 6, hosts: ['left', 'right'] }, noNews);
  noteEpoch(begun, epoch(0, 0.5));
  const again = await openRunDirectory({ runDir, runId: 'second', resume: true });
  t.is(again.runId, 'first');
  t.is(again.shards, 6);
  t.deepEqual(again.hosts, ['left', 'right']);
  t.deepEqual(
    again.epochs.map(({ loss }) => loss),
    [0.5],
  );
  t.deepEqual(readdirSync(runDir).toSorted(), ['checkpoints', 'history.jsonl', 'run.json']);
});

test('without --resume a directory that a run began in, and left no checkpoint in, is that of a new run', async (t) => {
  const runDir = folder(t);
  const begun = await openRunDirectory({ runDir, runId: 'first' });
  noteRun(begun, { shards: 6, hosts: ['left'] }, noNews);
  noteEpoch(begun, epoch(0, 0.5));
  const { runId, shards, hosts, epochs } = await openRunDirectory({ runDir, runId: 'second' });
  t.deepEqual({ runId, shards, hosts, epochs }, { runId: 'second', shards: undefined, hosts: [], epochs: [] });
});

test('of an epoch that came again the last line counts; a torn line and what follows a gap do not', async (t) => {
  const runDir = folder(t);
  const begun = await openRunDirectory({ runDir });
  for (const event of [epoch(0, 9), epoch(1, 9), epoch(0, 0.5), epoch(1, 0.25), epoch(3, 7)]) noteEpoch(begun, event);
  appendFileSync(join(runDir, 'history.jsonl'), '{"event":"epoch","epoch":2,"lo');
  const { epochs } = await openRunDirectory({ runDir, resume: true });
  t.deepEqual(
    epochs.map(({ loss }) => loss),
    [0.5, 0.25],
  );
});

test('a note that means nothing is as none', async (t) => {
  for (const text of ['', '{', '[]', '{"runId":1,"hosts":[]}', '{"runId":"a"}', 'null']) {
    const runDir = folder(t);
    writeFileSync(join(runDir, 'run.json'), text);
    const { runId, shards, hosts } = await openRunDirectory({ runDir, resume: true, runId: 'mine' });
    t.deepEqual({ runId, shards, hosts }, { runId: 'mine', shards: undefined, hosts: [] }, text);
  }
});

test('a directory that the system refuses is LOCKSTEP_FILE when the run begins, and news later', async (t) => {
  const parent = folder(t);
  writeFileSync(join(parent, 'file'), '');
  await t.throwsAsync(openRunDirectory({ runDir: join(parent, 'file') }), { code: 'LOCKSTEP_FILE', message: /run directory `.*file`.*\(E(NOTDIR|EXIST)\)/ });
  const taken = join(parent, 'taken');
  mkdirSync(join(taken, 'run.json', 'x'), { recursive: true });
  await t.throwsAsync(openRunDirectory({ runDir: taken }), { code: 'LOCKSTEP_FILE', message: /system refused \(E/ });

  const vanished = join(parent, 'vanished');
  const begun = await openRunDirectory({ runDir: vanished });
  rmSync(vanished, { recursive: true });
  const news: string[] = [];
  noteRun(begun, { shards: 2, hosts: [] }, (sentence) => news.push(sentence));
  t.is(news.length, 1);
  t.regex(news[0]!, /^the run directory could not be written: ENOENT/);
});
