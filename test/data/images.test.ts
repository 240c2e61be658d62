/** Room: tests of data. Folders of pictures. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'ava';
import sharp from 'sharp';
import { parseDataConfig } from '../../src/config/parse.ts';
import { openData } from '../../src/data/datasets.ts';
import type { Texts } from '../../src/data/source.ts';
import { rejection, temporaryFolder } from './folder.ts';

const base = dirname(temporaryFolder()('.keep', ''));
const open = (folder: string, fields: object = {}, texts?: Texts) =>
  openData(parseDataConfig({ format: 'images', folder: join(base, folder), size: [2, 3], ...fields }), { texts });

/** A picture of one colour. */
async function paint(path: string, [r, g, b]: readonly [number, number, number], { width = 3, height = 2, alpha = false } = {}): Promise<void> {
  mkdirSync(dirname(join(base, path)), { recursive: true });
  const background = alpha ? { r, g, b, alpha: 0.5 } : { r, g, b };
  await sharp({ create: { width, height, channels: alpha ? 4 : 3, background } }).toFile(join(base, path));
}

test('classes and files are sorted by name, pictures become bytes of one size', async (t) => {
  await paint('all/dog/b.png', [1, 2, 3]);
  await paint('all/dog/B.png', [4, 5, 6], { width: 9, height: 7 });
  await paint('all/dog/old/a.png', [10, 11, 12], { alpha: true });
  await paint('all/cat/z.jpg', [200, 200, 200]);
  writeFileSync(join(base, 'all', 'dog', '.DS_Store'), 'no picture');
  const source = await open('all');
  t.like(source, { length: 4, inputShape: [2, 3, 3], inputType: 'uint8', scale: 255 });
  t.deepEqual([...source.labels.values], [0, 1, 1, 1]);
  t.deepEqual(source.texts, { classes: ['cat', 'dog'], columns: {} });
  const rows = new Uint8Array(4 * 18);
  source.readAll(rows);
  const pixel = (row: number, at: number): number[] => [...rows.subarray(row * 18 + 3 * at, row * 18 + 3 * at + 3)];
  for (let at = 0; at < 6; at++)
    t.deepEqual(
      [1, 2, 3].map((row) => pixel(row, at)),
      [
        [4, 5, 6],
        [1, 2, 3],
        [10, 11, 12],
      ],
    );
  t.true(rows.subarray(0, 18).every((value) => Math.abs(value - 200) <= 1));

  const again = await open('all', { limit: 2 });
  const first = new Uint8Array(2 * 18);
  again.readAll(first);
  t.deepEqual(first, rows.subarray(0, 2 * 18));
});

test('one channel is grey', async (t) => {
  await paint('grey/a/1.png', [80, 80, 80]);
  const source = await open('grey', { channels: 1, scale: 1 });
  const rows = new Uint8Array(6);
  source.readAll(rows);
  t.deepEqual([...rows], Array(6).fill(80));
  t.deepEqual(source.inputShape, [2, 3, 1]);
});

test('other data have the classes of the training data', async (t) => {
  await paint('later/dog/1.png', [1, 1, 1]);
  t.deepEqual([...(await open('later', {}, { classes: ['cat', 'dog'], columns: {} })).labels.values], [1]);
  t.regex(await rejection('LOCKSTEP_DATA', open('later', {}, { classes: ['cat'], columns: {} })), /to hold folders of the classes of the training data, got `dog`;/);
});

test('what is no picture is refused by its name', async (t) => {
  await paint('broken/a/1.png', [1, 2, 3], { width: 300, height: 300 });
  const path = join(base, 'broken', 'a', '0.png');
  const whole = await sharp(join(base, 'broken', 'a', '1.png')).toBuffer();
  for (const bytes of [Buffer.from('text'), Buffer.alloc(0), whole.subarray(0, whole.length - 40)]) {
    writeFileSync(path, bytes);
    const message = await rejection('LOCKSTEP_DATA', open('broken'));
    t.true(message.startsWith(`Expected \`${path}\` to be a picture, got a file that does not decode (`), message);
  }
});

test('a folder without pictures, or with a file beside the classes, is refused', async (t) => {
  mkdirSync(join(base, 'empty', 'a'), { recursive: true });
  await paint('single/a/1.png', [1, 2, 3]);
  t.regex(await rejection('LOCKSTEP_DATA', open('empty')), /to hold one folder of pictures a class, got no pictures; check the path\.$/);
  writeFileSync(join(base, 'empty', 'readme.txt'), '');
  t.regex(await rejection('LOCKSTEP_DATA', open('empty')), /to hold one folder a class, got the file `readme\.txt`/);
  t.regex(await rejection('LOCKSTEP_FILE', open('nowhere')), /^Expected a folder of pictures at `.*nowhere`, but there is none;/);
  t.regex(await rejection('LOCKSTEP_DATA', open('single', { limit: 2 })), /^Expected `limit` to be at most 1, the pictures of/);
});
