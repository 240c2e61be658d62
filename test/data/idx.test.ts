import { truncateSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import test from 'ava';
import fc from 'fast-check';
import { idxSource, readIdx } from '../../src/data/idx.ts';
import { LockstepError } from '../../src/errors.ts';
import { idxBytes, refusal, temporaryFolder } from './folder.ts';

const file = temporaryFolder();
const pixels = Array.from({ length: 3 * 2 * 2 }, (_, i) => 10 * i);
const images = file('images', idxBytes([3, 2, 2], pixels));
const labels = file('labels', idxBytes([3], [7, 0, 9]));
const scale = 255;

test('images and labels become a source of bytes', (t) => {
  const source = idxSource({ images, labels, scale });
  t.like(source, { length: 3, inputShape: [2, 2], inputType: 'uint8', scale: 255 });
  t.deepEqual(source.labels, { kind: 'class', values: Int32Array.of(7, 0, 9) });
  const rows = new Uint8Array(8);
  source.readRows(Int32Array.of(2, 0), rows);
  t.deepEqual([...rows], [80, 90, 100, 110, 0, 10, 20, 30]);
  const all = new Uint8Array(12);
  source.readAll(all);
  t.deepEqual([...all], pixels);
});

test('a gzipped file is known by its first bytes, not by its name', (t) => {
  const zipped = file('no-extension', gzipSync(idxBytes([3, 2, 2], pixels)));
  t.deepEqual(readIdx(zipped, 'an image file'), readIdx(images, 'an image file'));
});

test('a limit takes the first rows', (t) => {
  const source = idxSource({ images, labels, scale, limit: 2 });
  t.is(source.length, 2);
  t.deepEqual(source.labels.values, Int32Array.of(7, 0));
  const all = new Uint8Array(8);
  source.readAll(all);
  t.deepEqual([...all], pixels.slice(0, 8));
});

test('a limit above the number of rows is refused', (t) => {
  t.is(
    refusal('LOCKSTEP_DATA', () => idxSource({ images, labels, scale, limit: 4 })),
    `Expected \`limit\` to be at most 3, the rows of \`${images}\`, got \`4\`; lower it or leave it out.`,
  );
});

test('a missing file is named with its path and the mend', (t) => {
  t.is(
    refusal('LOCKSTEP_FILE', () => readIdx('/no/such/file', 'an image file')),
    'Expected an image file at `/no/such/file`, but there is none; check the path.',
  );
});

const mistakes: [title: string, bytes: Uint8Array | string, rest: string][] = [
  ['that is empty', '', 'be an IDX file, got an empty file; check that it is the right file and fetch it again.'],
  ['of text', '<html>', 'be an IDX file, got a file that starts with 3c68746d; check that it is the right file and fetch it again.'],
  ['of floats', idxBytes([1], [0, 0, 0, 0], 0x0d), 'hold unsigned bytes (IDX type 08), got type 0d, float32; convert it to bytes.'],
  ['cut in its header', idxBytes([9, 9, 9], []).subarray(0, 10), 'have a header of 16 bytes, got 10 bytes in all; the file is truncated: fetch it again.'],
  [
    'cut in its data',
    idxBytes([60000, 28, 28], new Uint8Array(1000)),
    'hold 60000 x 28 x 28 = 47040000 bytes after its header, got 1000; the file is truncated: fetch it again.',
  ],
  ['of one dimension cut in its data', idxBytes([5], [1, 2]), 'hold 5 bytes after its header, got 2; the file is truncated: fetch it again.'],
  ['longer than its header says', idxBytes([2], [1, 2, 3]), 'hold 2 bytes after its header, got 3; the file is longer than its header says: fetch it again.'],
  ['without rows', idxBytes([0, 28, 28], []), 'hold at least one row, got the dimensions 0 x 28 x 28; give it data.'],
];

for (const [title, bytes, rest] of mistakes) {
  test(`a file ${title} is refused in one sentence`, (t) => {
    const path = file(title, bytes);
    t.is(
      refusal('LOCKSTEP_DATA', () => readIdx(path, 'an image file')),
      `Expected \`${path}\` to ${rest}`,
    );
  });
}

test('a gzip file cut short is refused as truncated', (t) => {
  const path = file('short.gz', gzipSync(idxBytes([3, 2, 2], pixels)).subarray(0, 20));
  t.is(
    refusal('LOCKSTEP_DATA', () => readIdx(path, 'an image file')),
    `Expected \`${path}\` to be a whole gzip file, got one that does not unpack (unexpected end of file); the file is truncated or damaged: fetch it again.`,
  );
});

test('images and labels that do not belong together are refused', (t) => {
  const two = file('two-labels', idxBytes([2], [1, 2]));
  t.is(
    refusal('LOCKSTEP_DATA', () => idxSource({ images, labels: two, scale })),
    `Expected \`${two}\` to hold a label for each of the 3 rows of \`${images}\`, got 2; check that the files belong together.`,
  );
  t.is(
    refusal('LOCKSTEP_DATA', () => idxSource({ images: labels, labels: images, scale })),
    `Expected \`${labels}\` to have at least two dimensions, got one; check that it is the image file.`,
  );
  t.is(
    refusal('LOCKSTEP_DATA', () => idxSource({ images, labels: images, scale })),
    `Expected \`${images}\` to have one dimension, got 3; check that it is the label file.`,
  );
});

test('a file with any byte changed or cut anywhere is read or refused', (t) => {
  const whole = idxBytes([3, 2, 2], pixels);
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.nat(255), fc.nat(whole.length), fc.boolean(), (at, byte, length, zip) => {
      const broken = Buffer.from(zip ? gzipSync(whole) : whole);
      broken[at] = byte;
      try {
        readIdx(file('fuzz', broken.subarray(0, length)), 'an image file');
      } catch (error) {
        return error instanceof LockstepError && !error.message.includes('\n');
      }
      return true;
    }),
    { numRuns: 500 },
  );
  t.pass();
});

test('more bytes than an arena holds are refused before they are read', (t) => {
  const large = file('large', idxBytes([6_000_000, 1000], []));
  truncateSync(large, 12 + 6e9);
  t.is(
    refusal('LOCKSTEP_MEMORY', () => readIdx(large, 'an image file')),
    `Expected the rows of \`${large}\` to fit the 4.00 GiB of a host's arena, got at least 5.59 GiB; set \`limit\` or \`streaming: true\` on the data, or take fewer columns or smaller pictures.`,
  );
  // The first rows of it are none too many.
  const few = idxSource({ images: large, labels: file('few', idxBytes([6_000_000], new Uint8Array(6_000_000))), scale, limit: 3 });
  t.deepEqual([few.length, few.inputShape], [3, [1000]]);
});
