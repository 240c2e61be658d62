/** Room: tests of cluster data. Manifests: which bytes a chunk is, what its hash covers, and what is refused. */
import { createHash } from 'node:crypto';
import test from 'ava';
import fc from 'fast-check';
import {
  checkManifest,
  chunkBytes,
  chunkRange,
  dataBytes,
  makeManifest,
  rangesOf,
  sameSpec,
  smallestChunkBytes,
  verifyChunk,
  viewsOf,
} from '../../../cluster/data/manifest.ts';
import { mostChunks } from '../../../cluster/wire/messages.ts';
import type { DataSpec } from '../../../src/model/plan.ts';
import { refusal } from '../../data/folder.ts';
import { bytesOf, emptySet, filledSet, threeChunks } from './stored.ts';

const anySpec: fc.Arbitrary<DataSpec> = fc.record({
  weighted: fc.boolean(),
  length: fc.integer({ min: 1, max: 20 }),
  inputShape: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 3 }),
  inputType: fc.constantFrom('uint8', 'float32'),
  scale: fc.constantFrom(1, 255),
  targetSize: fc.integer({ min: 0, max: 3 }),
});
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

test('inputs and labels are counted in their stored types', (t) => {
  const spec = { length: 10, inputShape: [2, 3], scale: 1 } as const;
  t.deepEqual(dataBytes({ ...spec, inputType: 'uint8', targetSize: 0 }), { inputs: 60, labels: 40, all: 100 });
  t.deepEqual(dataBytes({ ...spec, inputType: 'float32', targetSize: 2 }), { inputs: 240, labels: 80, all: 320 });
});

test('chunks are 4 MiB, doubled when there would be too many', (t) => {
  const most = smallestChunkBytes * mostChunks;
  t.is(chunkBytes(1), 4_194_304);
  t.is(chunkBytes(most), 4_194_304);
  t.is(chunkBytes(most + 1), 8_388_608);
  t.is(chunkBytes(2 * most + 1), 16_777_216);
});

test('chunks follow each other without gaps, whatever the size', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 45 }), fc.nat(), (bytes, seed) => {
      const count = Math.ceil(bytes / chunkBytes(bytes));
      const index = seed % count;
      const { start, bytes: length } = chunkRange(bytes, index);
      t.true(count <= mostChunks && length > 0);
      t.is(start + length, index === count - 1 ? bytes : chunkRange(bytes, index + 1).start);
    }),
  );
});

test('any bytes of a data set are found in its two ranges, in order', (t) => {
  fc.assert(
    fc.property(anySpec, fc.nat(), fc.nat(), (spec, a, b) => {
      const data = filledSet(spec);
      const whole = bytesOf(data);
      const start = a % (whole.length + 1);
      const bytes = b % (whole.length - start + 1);
      t.deepEqual(Buffer.concat(viewsOf(data, start, bytes)), Buffer.from(whole.subarray(start, start + bytes)));
    }),
    { numRuns: 50 },
  );
});

test('bytes on both sides of the boundary are two ranges', (t) => {
  const place = { spec: { length: 10, inputShape: [6], inputType: 'uint8', scale: 1, targetSize: 0 }, inputs: 1000, labels: 5000, weights: 0 } as const;
  t.deepEqual(rangesOf(place, 50, 10), [{ address: 1050, bytes: 10 }]);
  t.deepEqual(rangesOf(place, 50, 20), [
    { address: 1050, bytes: 10 },
    { address: 5000, bytes: 10 },
  ]);
  t.deepEqual(rangesOf(place, 60, 40), [{ address: 5000, bytes: 40 }]);
  t.deepEqual(rangesOf(place, 60, 0), []);
  t.deepEqual(rangesOf(place, 0, 0), []);
  const weighted = { ...place, spec: { ...place.spec, weighted: true }, weights: 9000 };
  t.deepEqual(rangesOf(weighted, 50, 85), [
    { address: 1050, bytes: 10 },
    { address: 5000, bytes: 40 },
    { address: 9000, bytes: 35 },
  ]);
  t.deepEqual(rangesOf(weighted, 110, 30), [{ address: 9010, bytes: 30 }]);
});

test('a manifest has the hashes of the bytes as they stand, and the event loop runs between them', async (t) => {
  const data = filledSet(threeChunks);
  let turns = 0;
  const turn = () => {
    turns++;
    pending = setImmediate(turn);
  };
  let pending = setImmediate(turn);
  const manifest = await makeManifest(data);
  clearImmediate(pending);
  const whole = bytesOf(data);
  t.is(whole.length, 9 * 2 ** 20 + 36_864);
  t.deepEqual(manifest.chunks, [sha256(whole.subarray(0, 2 ** 22)), sha256(whole.subarray(2 ** 22, 2 ** 23)), sha256(whole.subarray(2 ** 23))]);
  t.is(manifest.bytes, whole.length);
  const spec = '{"inputShape":[32,32],"inputType":"uint8","length":9216,"scale":255,"targetSize":0}';
  t.is(manifest.sha256, sha256(Buffer.from(`{"chunks":${JSON.stringify(manifest.chunks)},"spec":${spec}}`)));
  t.true(turns >= 2);
});

test('a change of any byte or of the spec changes the hash', async (t) => {
  const spec: DataSpec = { length: 4, inputShape: [2, 3], inputType: 'uint8', scale: 255, targetSize: 0 };
  const hashes = [filledSet(spec), filledSet({ ...spec, scale: 1 }), filledSet({ ...spec, inputShape: [3, 2] }), filledSet(spec), filledSet(spec)];
  hashes[3]!.arena.u8[hashes[3]!.place.inputs]! ^= 1;
  hashes[4]!.arena.u8[hashes[4]!.place.labels + 15]! ^= 128;
  const found = await Promise.all(hashes.map(async (data) => (await makeManifest(data)).sha256));
  t.is(new Set(found).size, 5);
  t.is((await makeManifest(filledSet({ ...spec }))).sha256, found[0]!);
  t.true(sameSpec(spec, { ...spec, inputShape: [2, 3] }));
  t.false(sameSpec(spec, { ...spec, targetSize: 1 }));
});

test('a chunk verifies in one piece or several, and not with a flipped bit', async (t) => {
  const data = filledSet({ length: 4, inputShape: [6], inputType: 'uint8', scale: 255, targetSize: 0 });
  const manifest = await makeManifest(data);
  const whole = bytesOf(data);
  t.true(verifyChunk(manifest, 0, [whole]));
  t.true(verifyChunk(manifest, 0, viewsOf(data, 0, whole.length)));
  t.false(verifyChunk(manifest, 1, [whole]));
  whole[7]! ^= 4;
  t.false(verifyChunk(manifest, 0, [whole]));
});

test('a manifest that does not fit the spec or itself is refused', async (t) => {
  const { spec } = emptySet(threeChunks).place;
  const manifest = await makeManifest(filledSet(spec));
  t.notThrows(() => checkManifest(manifest, spec));
  t.is(
    refusal('LOCKSTEP_PROTOCOL', () => checkManifest(manifest, { ...spec, length: 5 })),
    'Expected the manifest of a data set of 5140 bytes in 1 chunks, got 9474048 bytes in 3; use the same version of Lockstep everywhere.',
  );
  t.regex(
    refusal('LOCKSTEP_PROTOCOL', () => checkManifest({ ...manifest, chunks: [manifest.chunks[1]!, manifest.chunks[0]!, manifest.chunks[2]!] }, spec)),
    /^Expected the manifest of a data set to have the hash of its parts, [0-9a-f]{12}, got [0-9a-f]{12}; use the same version of Lockstep everywhere\.$/,
  );
  t.regex(
    refusal('LOCKSTEP_PROTOCOL', () => checkManifest({ ...manifest, sha256: '../../etc' }, spec)),
    /got \.\.\/\.\.\/etc;/,
  );
});
