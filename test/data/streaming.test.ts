/**
 * Room: tests of data. Every format with `streaming`: the rows, labels, weights and texts are those of the same config without it, what
 * is refused is refused with the same words, and files that were made on the way go.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import test from 'ava';
import sharp from 'sharp';
import type { DataConfigInput } from '../../src/config/data.ts';
import { parseDataConfig } from '../../src/config/parse.ts';
import { openData } from '../../src/data/datasets.ts';
import { encodeNpy } from '../../src/data/npy.ts';
import { RowFolder, withRowFolder } from '../../src/data/row-folder.ts';
import { openRows } from '../../src/data/rows.ts';
import type { DataSource } from '../../src/data/source.ts';
import { numbers } from '../toy.ts';
import { idxBytes, rejection, temporaryFolder } from './folder.ts';
import { numpyFile } from './numpy-files.ts';
import { type Column, parquetBytes } from './parquet-file.ts';

const file = temporaryFolder();

/** All that a source tells, as plain values. */
function told({ readRows, readAll, rowFile, ...source }: DataSource): object {
  const count = source.length * source.inputShape.reduce((a, b) => a * b, 1);
  const values = source.inputType === 'uint8' ? new Uint8Array(count) : new Float32Array(count);
  readAll(values);
  return { ...source, values };
}

const idx = {
  format: 'idx',
  images: file(
    'x.idx',
    idxBytes(
      [5, 2, 3],
      Array.from({ length: 30 }, (_, i) => i * 8),
    ),
  ),
  labels: file('y.idx', idxBytes([5], [0, 1, 2, 1, 0])),
} as const;
const targets = file('y.npy', encodeNpy([3], Float32Array.of(1, 2, 3)));
const npyOf = (name: string, bytes: Uint8Array) => ({ format: 'npy', inputs: file(name, bytes), labels: targets }) as const;
const csv = file('x.csv', `a,kind,b,y\n${Array.from({ length: 3000 }, (_, row) => `${row / 7},${['red', 'green', 'blue'][row % 3]},${-row},${row % 4}`).join('\n')}\n`);
const jsonl = file(
  'x.jsonl',
  Array.from({ length: 50 }, (_, row) =>
    JSON.stringify({
      x: [
        [row, 1],
        [2, row / 3],
      ],
      y: [row],
      w: row % 3,
    }),
  ).join('\n'),
);

async function pictures(): Promise<string> {
  const folder = join(dirname(csv), 'pictures');
  for (const [at, name] of ['cat', 'dog'].entries()) {
    mkdirSync(join(folder, name), { recursive: true });
    for (let i = 0; i < 4; i++) {
      const background = { r: 60 * i, g: 100 * at, b: 9 };
      writeFileSync(
        join(folder, name, `${i}.png`),
        await sharp({ create: { width: 5, height: 4, channels: 3, background } })
          .png()
          .toBuffer(),
      );
    }
  }
  return folder;
}

/** What is read in place needs no file of its own. */
const inPlace: Record<string, DataConfigInput> = {
  idx: { ...idx, scale: 255 },
  'idx with a limit': { ...idx, limit: 3 },
  'npy of float32': npyOf('f4.npy', encodeNpy([3, 4], numbers(12, 1))),
  'npz stored': { format: 'npz', file: file('stored.npz', numpyFile('stored')), sampleWeights: 'w' },
  mnist: { dataset: 'mnist', split: 'test', limit: 500 },
};
const converted: Record<string, DataConfigInput> = {
  'gzipped idx': {
    ...idx,
    images: file(
      'x.idx.gz',
      gzipSync(
        idxBytes(
          [5, 2, 3],
          Array.from({ length: 30 }, (_, i) => i * 8),
        ),
      ),
    ),
  },
  'npy of float64': npyOf('f8.npy', numpyFile('float64')),
  'npz deflated': { format: 'npz', file: file('deflated.npz', numpyFile('deflated')), sampleWeights: 'w', limit: 2 },
  'csv of numbers': { format: 'csv', file: csv, columns: ['b', 'a'], target: 'y' },
  'csv with texts': { format: 'csv', file: csv, label: 'y', scale: 2, limit: 2500 },
  jsonl: { format: 'jsonl', file: jsonl, inputs: 'x', target: 'y', sampleWeights: 'w' },
};

const opened = async (config: DataConfigInput, folder: RowFolder): Promise<DataSource> =>
  await openData(parseDataConfig({ ...config, streaming: true } as DataConfigInput), { folder });

for (const [name, config] of Object.entries({ ...inPlace, ...converted })) {
  test(`${name}: the rows on disk are those in memory`, async (t) => {
    const folder = new RowFolder();
    const streamed = await opened(config, folder);
    t.truthy(streamed.rowFile);
    t.is(dirname(streamed.rowFile!.path).startsWith(join(tmpdir(), 'lockstep-rows-')), Object.hasOwn(converted, name));
    t.deepEqual(told(streamed), told(await openData(parseDataConfig(config))));
    folder.remove();
    if (Object.hasOwn(converted, name)) t.false(existsSync(dirname(streamed.rowFile!.path)));
  });
}

const columns: Column[] = [
  { name: 'a', type: 'double', values: [0.1, -2.5, 1e20, 4] },
  { name: 'kind', type: 'text', values: ['red', 'blue', 'red', 'green'] },
  { name: 'y', type: 'int64', values: [0n, 2n, 1n, 2n] },
  { name: 'w', type: 'float', values: [1, 0.5, 0, 2] },
];

test('images: the rows on disk are those in memory', async (t) => {
  const config: DataConfigInput = { format: 'images', folder: await pictures(), size: [3, 4] };
  await withRowFolder(async (folder) => t.deepEqual(told(await opened(config, folder)), told(await openData(parseDataConfig(config)))));
});

test('parquet: the rows on disk are those in memory', async (t) => {
  const config = { format: 'parquet', file: file('x.parquet', parquetBytes(columns, 'gzip', 2)), label: 'y', sampleWeights: 'w' } as const;
  await withRowFolder(async (folder) => t.deepEqual(told(await opened(config, folder)), told(await openData(parseDataConfig(config)))));
});

test('rows to predict are read like the training data', async (t) => {
  for (const [path, like] of [
    [idx.images, inPlace['idx']!],
    [file('rows.npy', encodeNpy([3, 4], numbers(12, 1))), inPlace['idx']!],
    [file('rows.npz', numpyFile('deflated')), converted['npz deflated']!],
  ] as const) {
    await withRowFolder(async (folder) => {
      const streamed = await openRows(path, parseDataConfig({ ...like, streaming: true } as DataConfigInput), undefined, folder);
      t.truthy(streamed.rowFile);
      t.deepEqual(told(streamed), told(await openRows(path, parseDataConfig(like), undefined)));
    });
  }
});

test('what is refused in memory is refused with the same words', async (t) => {
  const nan = numbers(12, 1);
  nan[7] = Number.POSITIVE_INFINITY;
  const damaged = numpyFile('deflated');
  damaged[80]! ^= 255;
  const flipped = numpyFile('stored');
  flipped[190]! ^= 255;
  const bad: Record<string, DataConfigInput> = {
    'a number that is not finite': npyOf('nan.npy', encodeNpy([3, 4], nan)),
    'a truncated npy file': npyOf('short.npy', encodeNpy([3, 4], numbers(12, 1)).subarray(0, 150)),
    'rows without labels': npyOf('four.npy', encodeNpy([4, 4], numbers(16, 1))),
    'integers as inputs': { format: 'npz', file: file('int.npz', numpyFile('stored')), inputs: 'y' },
    'a damaged member': { format: 'npz', file: file('damaged.npz', damaged) },
    'another checksum': { format: 'npz', file: file('flipped.npz', flipped) },
    'a truncated idx file': { ...idx, images: file('short.idx', idxBytes([5, 2, 3], [1, 2])) },
    'half a gzip file': { ...idx, images: file('half.gz', gzipSync(idxBytes([5, 2, 3], [1, 2])).subarray(0, 20)) },
    'too high a limit': { ...idx, limit: 6 },
    'no such file': { ...idx, images: '/no/such/file' },
    'a text among numbers': { format: 'csv', file: file('bad.csv', 'a,y\n1,0\nx,1\n'), label: 'y' },
    'a number beyond float32': { format: 'jsonl', file: file('bad.jsonl', '{"x":[1e39],"y":[1]}'), inputs: 'x', target: 'y' },
  };
  for (const [name, config] of Object.entries(bad)) {
    const told = await withRowFolder(async (folder) => {
      const [result] = await Promise.allSettled([opened(config, folder)]);
      return result.status === 'rejected' ? String(result.reason) : 'accepted';
    });
    const [expected] = await Promise.allSettled([Promise.resolve().then(() => openData(parseDataConfig(config)))]);
    t.is(told, expected.status === 'rejected' ? String(expected.reason) : 'nothing refused', name);
  }
});

test.serial('a folder for rows that cannot be made is told', async (t) => {
  const before = process.env['TMPDIR'];
  process.env['TMPDIR'] = '/no/such/folder';
  try {
    t.regex(
      await rejection('LOCKSTEP_FILE', opened(converted['csv of numbers']!, new RowFolder())),
      /^Expected to write the rows of `.*x\.csv` to `\/no\/such\/folder`, but the system refused \(ENOENT\); free room there, or set TMPDIR to a folder of a disk with more\.$/,
    );
  } finally {
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
  }
});

test('a folder that goes with its use leaves nothing, whatever comes of it', async (t) => {
  const parent = mkdtempSync(join(tmpdir(), 'lockstep-none-'));
  let made = '';
  await t.throwsAsync(
    withRowFolder(async (folder) => {
      made = folder.newFile('x');
      writeFileSync(made, 'rows');
      throw new Error('on purpose');
    }),
    { message: 'on purpose' },
  );
  t.false(existsSync(dirname(made)));
  t.deepEqual(readdirSync(parent), []);
  rmSync(parent, { recursive: true });
});
