/** Room: tests of cluster data. The cache: what survives, what is found out, and that its failures are sentences. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'ava';
import { openCache } from '../../../cluster/data/cache.ts';
import { chunkRange, type Manifest, makeManifest, type StoredData, viewsOf } from '../../../cluster/data/manifest.ts';
import { temporaryFolder } from '../../data/folder.ts';
import { bytesOf, emptySet, filledSet, threeChunks } from './stored.ts';

const file = temporaryFolder();
let folders = 0;
const newFolder = () => join(dirname(file('.keep', '')), `cache-${folders++}`);

const data = filledSet(threeChunks);
let manifest: Manifest;
test.before(async () => {
  manifest = await makeManifest(data);
});

function chunkOf(set: StoredData, index: number): Uint8Array[] {
  const { start, bytes } = chunkRange(manifest.bytes, index);
  return viewsOf(set, start, bytes);
}

async function open(folder: string) {
  const warnings: string[] = [];
  return { cache: await openCache({ folder, manifest, onWarning: (sentence) => warnings.push(sentence) }), warnings, own: join(folder, manifest.sha256) };
}

test('what was written is read back, in a later process too', async (t) => {
  const folder = newFolder();
  const { cache, warnings, own } = await open(folder);
  const into = emptySet(threeChunks);
  t.false(await cache.read(0, chunkOf(into, 0)));
  for (const index of [0, 1, 2]) await cache.write(index, chunkOf(data, index));
  const later = await open(folder);
  for (const index of [0, 1, 2]) t.true(await later.cache.read(index, chunkOf(into, index)));
  t.deepEqual(Buffer.compare(bytesOf(into), bytesOf(data)), 0);
  t.deepEqual(readdirSync(own).toSorted(), ['0.chunk', '1.chunk', '2.chunk']);
  t.deepEqual([...warnings, ...later.warnings], []);
});

test('a chunk that was flipped or cut short is found out, named and written anew', async (t) => {
  const folder = newFolder();
  const { cache, warnings, own } = await open(folder);
  for (const index of [0, 1, 2]) await cache.write(index, chunkOf(data, index));
  const bytes = readFileSync(join(own, '1.chunk'));
  bytes[12_345]! ^= 1;
  writeFileSync(join(own, '1.chunk'), bytes);
  truncateSync(join(own, '2.chunk'), 1000);
  const into = emptySet(threeChunks);
  t.true(await cache.read(0, chunkOf(into, 0)));
  for (const index of [1, 2]) t.false(await cache.read(index, chunkOf(into, index)));
  const hash = manifest.sha256.slice(0, 12);
  t.deepEqual(
    warnings,
    [1, 2].map((i) => `Expected \`${join(own, `${i}.chunk`)}\` to be chunk ${i} of the data set ${hash}, got other bytes; the chunk is fetched anew.`),
  );
  for (const index of [1, 2]) {
    await cache.write(index, chunkOf(data, index));
    t.true(await cache.read(index, chunkOf(into, index)));
  }
});

test('a process that was killed while writing leaves nothing that counts', async (t) => {
  const folder = newFolder();
  const own = join(folder, manifest.sha256);
  mkdirSync(own, { recursive: true });
  const [old, young] = ['0.chunk.killed-long-ago.part', '0.chunk.maybe-being-written.part'].map((name) => join(own, name)) as [string, string];
  for (const path of [old, young]) writeFileSync(path, 'half');
  const long = Date.now() / 1000 - 2 * 24 * 60 * 60;
  utimesSync(old, long, long);
  const { cache, warnings } = await open(folder);
  t.false(await cache.read(0, chunkOf(emptySet(threeChunks), 0)));
  t.false(existsSync(old));
  t.true(existsSync(young));
  await cache.write(0, chunkOf(data, 0));
  t.true(await cache.read(0, chunkOf(emptySet(threeChunks), 0)));
  t.deepEqual(warnings, []);
});

test('two processes may fill one folder at the same time', async (t) => {
  const folder = newFolder();
  const [a, b] = await Promise.all([open(folder), open(folder)]);
  const into = emptySet(threeChunks);
  await Promise.all([0, 1, 2].flatMap((index) => [a, b].map(({ cache }) => cache.write(index, chunkOf(data, index)))));
  for (const index of [0, 1, 2]) t.true(await a.cache.read(index, chunkOf(into, index)));
  t.is(readdirSync(a.own).length, 3);
  t.deepEqual([...a.warnings, ...b.warnings], []);
});

test('a folder that cannot be made is one sentence, and nothing fails', async (t) => {
  const folder = file('not-a-folder', 'text');
  const { cache, warnings } = await open(folder);
  await cache.write(0, chunkOf(data, 0));
  t.false(await cache.read(0, chunkOf(emptySet(threeChunks), 0)));
  t.is(warnings.length, 1);
  t.regex(
    warnings[0]!,
    /^Expected the cache folder `.+not-a-folder` to be readable and writable, got (?:ENOTDIR|EEXIST); the run goes on without it: free space there or choose another folder\.$/,
  );
});

test('a write that fails is one sentence for all chunks', async (t) => {
  const folder = newFolder();
  const { cache, warnings, own } = await open(folder);
  rmSync(own, { recursive: true });
  for (const index of [0, 1]) await cache.write(index, chunkOf(data, index));
  t.is(warnings.length, 1);
  t.regex(warnings[0]!, /got ENOENT; the run goes on without it/);
});

test('a hash that is no hash never becomes a folder', async (t) => {
  const folder = newFolder();
  const error = await t.throwsAsync(openCache({ folder, manifest: { ...manifest, sha256: '../elsewhere' }, onWarning: () => {} }), { code: 'LOCKSTEP_PROTOCOL' });
  t.regex(error.message, /^Expected the hash of a data set to be 64 hex digits/);
  t.false(existsSync(folder));
});
