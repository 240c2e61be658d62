/** Room: tests of cluster data. A host's own copy: taken when it is the run's, refused otherwise, and never looked for elsewhere. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'ava';
import { type Manifest, makeManifest, type StoredData } from '../../../cluster/data/manifest.ts';
import { describeData, loadOwnCopy, openOwnCopy } from '../../../cluster/data/own-copy.ts';
import type { DataConfig } from '../../../src/config/data.ts';
import { parseDataConfig } from '../../../src/config/parse.ts';
import { datasets, openData } from '../../../src/data/datasets.ts';
import { dataSpec, storeData } from '../../../src/local/session.ts';
import { idxBytes, rejection, temporaryFolder } from '../../data/folder.ts';
import { bytesOf, emptySet } from './stored.ts';

const file = temporaryFolder();
const base = dirname(file('.keep', ''));

/** A folder with three rows of 2 x 2 pixels, their first as given, and the config of them. */
function images(name: string, first: number, rows = 3) {
  const folder = join(base, name);
  mkdirSync(folder);
  writeFileSync(join(folder, 'x.idx'), idxBytes([rows, 2, 2], [first, ...Array.from({ length: 4 * rows - 1 }, (_, i) => i)]));
  writeFileSync(
    join(folder, 'y.idx'),
    idxBytes(
      [rows],
      Array.from({ length: rows }, (_, i) => i),
    ),
  );
  return { folder, config: parseDataConfig({ format: 'idx', images: join(folder, 'x.idx'), labels: join(folder, 'y.idx'), scale: 255 }) };
}

const coordinator = images('coordinator', 9);
let original: StoredData;
let manifest: Manifest;
test.before(async () => {
  const source = await openData(coordinator.config);
  original = emptySet(dataSpec(source));
  storeData(source, original.place, original.arena);
  manifest = await makeManifest(original);
});

/** The description of a run with these training data alone. */
const told = (train: DataConfig) => describeData({ train, stratify: false, seed: 0 });
const load = async (folder: string, data: StoredData) =>
  await loadOwnCopy({ folder, source: (await openOwnCopy(told(coordinator.config), folder)).train, manifest, data });

test('hosts are told names of files and no folder', (t) => {
  t.deepEqual(told(coordinator.config).train, { format: 'idx', images: 'x.idx', labels: 'y.idx', scale: 255, streaming: false });
  t.deepEqual(told(datasets.mnist({ folder: '/home/me/mnist', limit: 5 }).train).train, { dataset: 'mnist', split: 'train', scale: 255, streaming: false, limit: 5 });
  t.deepEqual(told(datasets.fashionMnist().validation).train as unknown, { dataset: 'fashionMnist', split: 'test', scale: 255, streaming: false });
});

test('an equal copy is loaded, the bytes of the coordinator in place', async (t) => {
  const { folder } = images('equal', 9);
  const data = emptySet(original.place.spec);
  await load(folder, data);
  t.deepEqual(bytesOf(data), bytesOf(original));
});

test('another copy is refused with both hashes and the folder', async (t) => {
  for (const { folder } of [images('other-pixel', 8), images('more-rows', 9, 4)]) {
    const data = emptySet(original.place.spec);
    const error = await t.throwsAsync(load(folder, data), { code: 'LOCKSTEP_DATA' });
    const [, named, wanted, got] = /^Expected the data in `(.+)` to be the run's, with the hash ([0-9a-f]{12}), got other data, with the hash ([0-9a-f]{12}); copy/.exec(
      error.message,
    )!;
    t.is(named, folder);
    t.is(wanted, manifest.sha256.slice(0, 12));
    t.not(got, wanted);
  }
});

test('a file that is not there is refused with the way out', async (t) => {
  t.is(
    await rejection('LOCKSTEP_FILE', openOwnCopy(told(coordinator.config), join(base, 'nowhere'))),
    `Expected an image file at \`${join(base, 'nowhere', 'x.idx')}\`, but there is none; copy the coordinator's file there, or join without a data folder.`,
  );
});

test('a named data set comes from the folder if it is there, else from its package', async (t) => {
  const folder = join(base, 'named');
  mkdirSync(folder);
  const description = told(datasets.mnist({ limit: 2 }).validation);
  t.is((await openOwnCopy(description, folder)).train.inputShape.join(), '28,28');
  writeFileSync(join(folder, 't10k-images-idx3-ubyte'), idxBytes([2, 1, 1], [1, 2]));
  writeFileSync(join(folder, 't10k-labels-idx1-ubyte'), idxBytes([2], [0, 1]));
  t.is((await openOwnCopy(description, folder)).train.inputShape.join(), '1,1');
});

const outside = ['../coordinator/x.idx', '/etc/passwd', 'a/b', '..\\x.idx', 'C:x.idx', '..', '.', 'x.idx\0.png', 'x\n.idx', './x.idx', 'file:x.idx'];
for (const name of outside) {
  test(`the name ${JSON.stringify(name)} is refused`, async (t) => {
    for (const key of ['images', 'labels']) {
      const description = { format: 'idx', images: 'x.idx', labels: 'y.idx', scale: 1, [key]: name };
      const message = await rejection('LOCKSTEP_PROTOCOL', openOwnCopy({ train: description, stratify: false, seed: 0 }, coordinator.folder));
      t.regex(message, /^Expected the coordinator to describe the data with plain names of files, got `.+`; only the folder of this host is read\.$/);
    }
  });
}

test('a description with a folder is refused, also when the folder is inherited', async (t) => {
  const mnist = { dataset: 'mnist', split: 'train', scale: 255 };
  for (const description of [{ ...mnist, folder: '/etc' }, { ...mnist, folder: undefined }, Object.assign(Object.create({ folder: '/etc' }), mnist)]) {
    t.regex(
      await rejection('LOCKSTEP_PROTOCOL', openOwnCopy({ train: description, stratify: false, seed: 0 }, base)),
      /^Expected the coordinator to describe the data without a folder/,
    );
  }
});

test('what is no description is refused', async (t) => {
  const broken = [undefined, null, 7, 'x.idx', [], {}, { format: 'exe', images: 'x', labels: 'y' }, { format: 'idx', images: 7, labels: 'y' }];
  for (const description of [...broken, ...broken.map((train) => ({ train, stratify: false, seed: 0 }))]) {
    t.regex(await rejection('LOCKSTEP_PROTOCOL', openOwnCopy(description, base)), /^Expected/);
  }
});
