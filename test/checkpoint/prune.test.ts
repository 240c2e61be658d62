/**
 * Room: tests of checkpoint. Which checkpoints stay, where the links lead, and what is removed of dead processes.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readlinkSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { newestVerified } from '../../src/checkpoint/folder.ts';
import { folderOfStep } from '../../src/checkpoint/names.ts';
import { bestOf, keepHouse, outdated } from '../../src/checkpoint/prune.ts';
import { CheckpointWriter, type WriteRequest } from '../../src/checkpoint/writer.ts';
import { newFolder, recordOf, requestOf } from './snapshots.ts';

const entry = (step: number, name = folderOfStep(step)) => ({ step, name });
const names = (found: readonly { name: string }[]): string[] => found.map(({ name }) => name);
const steps = (folder: string): string[] =>
  readdirSync(folder)
    .filter((name) => name.startsWith('step-'))
    .sort();

async function writeAll(folder: string, ...requests: WriteRequest[]): Promise<string[]> {
  const writer = new CheckpointWriter(folder);
  const troubles: string[] = [];
  for (const request of requests) {
    const { trouble } = await writer.write(request);
    if (trouble !== undefined) troubles.push(trouble);
  }
  await writer.close();
  return troubles;
}

test('the last ones stay, the one just written among them', async (t) => {
  for (const keep of [1, 2, 4]) {
    const folder = newFolder(t);
    await writeAll(folder, ...[1, 2, 3, 4, 5].map((step) => requestOf(step, { keep })));
    t.deepEqual(steps(folder), [1, 2, 3, 4, 5].slice(-keep).map(folderOfStep));
    t.is(readlinkSync(join(folder, 'latest')), 'step-000000005');
  }
});

test('the best one stays besides, and has a link', async (t) => {
  const values = [5, 3, 4, Number.NaN, 3, 6];
  for (const [best, expected] of [
    ['lowest', 2],
    ['highest', 6],
  ] as const) {
    const folder = newFolder(t);
    await writeAll(folder, ...values.map((value, i) => ({ ...requestOf(i + 1, { keep: 1, metric: { name: 'loss', value } }), best })));
    t.deepEqual(steps(folder), [...new Set([expected, 6])].map(folderOfStep));
    t.is(readlinkSync(join(folder, 'best')), folderOfStep(expected));
  }
});

test('without a metric to judge by, a link to what was the best does not outlive it', async (t) => {
  const folder = newFolder(t);
  await writeAll(folder, { ...requestOf(1, { metric: { name: 'loss', value: 1 } }), best: 'lowest' }, requestOf(2, { keep: 2 }));
  t.is(readlinkSync(join(folder, 'best')), folderOfStep(1));
  await writeAll(folder, requestOf(3, { keep: 1 }));
  t.deepEqual(readdirSync(folder).sort(), ['latest', 'step-000000003']);
});

test('the best is told by the metric of the newest that has one; of equals by who was first', (t) => {
  const judged = (step: number, name: string, value: number) => ({ ...entry(step), metric: { name, value } });
  t.is(bestOf([], 'lowest'), undefined);
  t.is(bestOf([entry(1)], 'lowest'), undefined);
  t.is(bestOf([judged(1, 'loss', Number.NaN)], 'lowest'), undefined);
  t.is(bestOf([judged(1, 'loss', Number.NEGATIVE_INFINITY)], 'lowest'), undefined);
  const all = [entry(5), judged(4, 'loss', 2), judged(3, 'accuracy', 0), judged(2, 'loss', 1), judged(1, 'loss', 1)];
  t.is(bestOf(all, 'lowest')?.step, 1);
  t.is(bestOf(all, 'highest')?.step, 4);
});

test('what is older than the last ones goes, damaged ones do not count, later ones are left alone', (t) => {
  const all = [50, 40, 30, 20, 10].map((step) => entry(step));
  const without = (...gone: number[]) => all.filter(({ step }) => !gone.includes(step));
  const gone = (candidates: typeof all, written: number, keep: number, champion?: number): number[] =>
    outdated(all, candidates, entry(written), keep, champion === undefined ? undefined : entry(champion)).map(({ step }) => step);
  t.deepEqual(gone(all, 50, 2), [30, 20, 10]);
  t.deepEqual(gone(all, 50, 2, 10), [30, 20]);
  t.deepEqual(gone(without(40), 50, 2), [20, 10], 'a damaged one does not count');
  t.deepEqual(gone(without(40, 20), 50, 2), [20, 10], 'and goes when it is old');
  t.deepEqual(gone(without(40, 30, 20, 10), 50, 2), [], 'nothing whole beside it: nothing goes');
  t.deepEqual(gone(all, 30, 1), [20, 10], 'later ones are left alone');
  t.deepEqual(gone(all, 30, 2), [10]);
  t.deepEqual(gone(all, 50, 99), []);
});

test('what was set aside goes when the one of its name is whole', (t) => {
  const aside = entry(40, 'step-000000040.old');
  const all = [entry(50), entry(40), aside];
  t.deepEqual(names(outdated(all, [entry(50), entry(40)], entry(50), 9, undefined)), [aside.name]);
  t.deepEqual(names(outdated(all, [entry(50), aside], entry(50), 9, undefined)), ['step-000000040']);
  t.deepEqual(names(outdated([entry(50), aside], [entry(50), aside], entry(50), 9, undefined)), []);
});

test('the one just written never goes, whatever else is there', (t) => {
  const step = fc.nat(20);
  fc.assert(
    fc.property(fc.uniqueArray(step, { minLength: 1 }), fc.infiniteStream(fc.boolean()), fc.integer({ min: 1, max: 5 }), fc.nat(), (found, whole, keep, pick) => {
      const all = found.toSorted((a, b) => b - a).map((value) => entry(value));
      const written = all[pick % all.length]!;
      const candidates = all.filter((candidate) => candidate === written || whole.next().value);
      const gone = outdated(all, candidates, written, keep, undefined);
      t.false(gone.includes(written));
      const stay = candidates.filter((candidate) => !gone.includes(candidate) && candidate.step <= written.step);
      t.is(stay.length, Math.min(keep, candidates.filter((candidate) => candidate.step <= written.step).length));
    }),
  );
});

test('a damaged newest one does not make the run lose what it went on from', async (t) => {
  const folder = newFolder(t);
  await writeAll(folder, requestOf(10), requestOf(20));
  truncateSync(join(folder, 'step-000000020', 'weights.safetensors'), 9);
  await writeAll(folder, requestOf(15, { keep: 2 }));
  t.deepEqual(steps(folder), [10, 15, 20].map(folderOfStep));
  await writeAll(folder, requestOf(25, { keep: 2 }));
  t.deepEqual(steps(folder), [15, 20, 25].map(folderOfStep));
  await writeAll(folder, requestOf(30, { keep: 1 }));
  t.deepEqual(steps(folder), [30].map(folderOfStep));
});

test('leftovers of dead processes are removed at the first write, those of live ones and all else stay', async (t) => {
  const folder = newFolder(t);
  mkdirSync(folder, { recursive: true });
  const { pid: dead } = spawnSync(process.execPath, ['--version']);
  const gone = [`.step-000000003.${dead}-0.tmp`, `.pruned-step-000000001.old.${dead}-2.tmp`, `.latest.${dead}-7.tmp`];
  const stay = [`.step-000000003.${process.ppid}-0.tmp`, '.step-3.tmp', `.notes.${dead}-0.tmp`, 'notes.txt'];
  for (const name of [...gone, ...stay]) mkdirSync(join(folder, name));
  writeFileSync(join(folder, gone[0]!, 'weights.safetensors'), 'half of it');
  await writeAll(folder, requestOf(1));
  t.deepEqual(readdirSync(folder).sort(), [...stay, 'latest', 'step-000000001'].sort());
});

test('two writers of a process do not take each other for dead', async (t) => {
  const folder = newFolder(t);
  await Promise.all([1, 2, 3].map(async (step) => await writeAll(folder, requestOf(step, { keep: 9, inputs: 100_000 }))));
  t.deepEqual(steps(folder), [1, 2, 3].map(folderOfStep));
  t.is((await newestVerified(folder)).passedOver.length, 0);
});

test('a link that cannot be set is told, and the checkpoint is there all the same', async (t) => {
  const folder = newFolder(t);
  mkdirSync(join(folder, 'latest', 'of-the-user'), { recursive: true });
  const [trouble, ...more] = await writeAll(folder, requestOf(1, { keep: 1 }), requestOf(2, { keep: 1 }));
  t.is(more.length, 1);
  t.regex(trouble!, /^Expected to keep the checkpoints of `.+` in order, but could not set the link `latest` \(E\w+\); check that folder\.$/);
  t.deepEqual(steps(folder), ['step-000000002']);
  t.true(existsSync(join(folder, 'latest', 'of-the-user')));
  t.deepEqual(
    readdirSync(folder).filter((name) => name.startsWith('.')),
    [],
  );
});

test('an old checkpoint that is gone by itself is no trouble for the others', async (t) => {
  const folder = newFolder(t);
  await writeAll(folder, requestOf(1), requestOf(2));
  rmSync(join(folder, 'step-000000001'), { recursive: true });
  t.is(await keepHouse(folder, { record: recordOf(2), keep: 1 }, 0), undefined);
  t.deepEqual(readdirSync(folder).sort(), ['latest', 'step-000000002']);
});
