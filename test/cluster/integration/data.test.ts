/**
 * Room: tests of the cluster, integration. How a host comes by its data: from the coordinator once, then from its cache, unless a byte
 * of that changed; or from its own copy.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { deadlineMs, party, recipe } from './party.ts';

const run = recipe();

/** A run over a table: texts, classes, statistics and the rows for validation are found by every host that has a copy, or come with the data. */
const tableRun = recipe({
  model: {
    layers: [
      { type: 'dense', units: 8, activation: 'relu' },
      { type: 'dense', units: 3, activation: 'softmax' },
    ],
  },
  data: { train: { format: 'csv', file: 'rows.csv', label: 'kind', normalize: 'standard' } },
  validationSplit: 0.2,
  stratify: true,
});
const colours = ['red', 'green', 'blue'];
const tableRows = Array.from({ length: 203 }, (_, row) => `${(row * 37) % 101}.5,${colours[(row * 7) % 3]},${-row},kind ${(row * 5) % 3}\n`);
writeFileSync(join(tableRun.folder, 'rows.csv'), `a,colour,b,kind\n${tableRows.join('')}`);

test.serial('data are fetched once, a chunk of the cache that changed is fetched anew, and an own copy needs neither', async (t) => {
  const cluster = await party(t, run, { workers: 1 });
  const cache = join(cluster.folder, 'cache');
  const chunks = (): string[] => readdirSync(cache, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.chunk'));
  const marks = (): (readonly [string, number])[] => chunks().map((name) => [name, statSync(join(cache, name)).ino]);
  /** Takes part for some steps with this cache; returns what it said. */
  const visit = async (name: string, ...flags: string[]): Promise<string> => {
    const host = cluster.join(name, '--workers', '1', '--cache-dir', cache, ...flags);
    await cluster.coordinator.says(new RegExp(`host ${name} joined`), deadlineMs);
    await cluster.advances(5);
    host.child.kill('SIGTERM');
    return await host.succeeds(deadlineMs);
  };

  await visit('copier', '--data-dir', run.folder);
  t.false(existsSync(cache), 'an own copy is not cached');

  await visit('first');
  t.is(chunks().length, 2, 'a chunk of the training data and one of the validation data');
  const before = marks();

  // What is fetched is written by a rename: the same files mean that nothing was.
  t.notRegex(await visit('second'), /fetched anew/);
  t.deepEqual(marks(), before);

  const [name] = chunks();
  const bytes = readFileSync(join(cache, name!));
  const right = Buffer.from(bytes);
  bytes[100]! ^= 1;
  writeFileSync(join(cache, name!), bytes);
  t.regex(await visit('third'), /Expected `\S+` to be chunk 0 of the data set [0-9a-f]+, got other bytes; the chunk is fetched anew\.\n/);
  t.deepEqual(readFileSync(join(cache, name!)), right);
  const after = new Map(marks());
  t.deepEqual(
    before.map(([file, ino]) => after.get(file) === ino),
    before.map(([file]) => file !== name),
  );
  await cluster.finish(t);
});

test.serial('a table is the same for a host that reads its copy and for one that is sent the rows; another table is refused', async (t) => {
  const cluster = await party(t, tableRun, { workers: 1 });
  const cache = join(cluster.folder, 'table-cache');
  for (const [name, ...flags] of [['owner', '--data-dir', tableRun.folder], ['guest']] as const) {
    cluster.join(name, '--workers', '1', '--cache-dir', cache, ...flags);
    await cluster.coordinator.says(new RegExp(`host ${name} joined`), deadlineMs);
    t.is(existsSync(cache), name === 'guest');
  }
  await cluster.advances(5);
  const other = join(cluster.folder, 'other');
  mkdirSync(other);
  writeFileSync(join(other, 'rows.csv'), `a,colour,b,kind\n${tableRows.toReversed().join('')}`);
  const stranger = cluster.join('stranger', '--workers', '1', '--data-dir', other);
  const { message } = await t.throwsAsync(stranger.succeeds(deadlineMs));
  t.regex(message, /Expected the data in `\S+` to be the run's, with the hash [0-9a-f]{12}, got other data, with the hash [0-9a-f]{12};/);
  await cluster.finish(t);
});
