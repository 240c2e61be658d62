/**
 * Room: tests of model. The table of `model.summary()`.
 */
import test from 'ava';
import { layers } from '../../src/layers/factories.ts';
import { sequential } from '../../src/model/model.ts';
import { bookModel } from './book.ts';

const rule = (sign: string): string => sign.repeat(72);

test('the network of DESIGN 11 has 271,346 parameters, of which 268,978 trainable and 2,368 not', (t) => {
  const printed: string[] = [];
  const table = bookModel().summary((text) => printed.push(text));
  t.is(
    table,
    [
      'Model: "sequential"',
      rule('_'),
      'Layer (type)                               Output Shape          Param #',
      rule('='),
      'flatten (Flatten)                          (None, 784)                 0',
      'batch_normalization (BatchNormalization)   (None, 784)             3,136',
      'dense (Dense)                              (None, 300)           235,500',
      'batch_normalization_1 (BatchNormalization) (None, 300)             1,200',
      'dense_1 (Dense)                            (None, 100)            30,100',
      'batch_normalization_2 (BatchNormalization) (None, 100)               400',
      'dense_2 (Dense)                            (None, 10)              1,010',
      rule('='),
      'Total params: 271,346',
      'Trainable params: 268,978',
      'Non-trainable params: 2,368',
      rule('_'),
    ].join('\n'),
  );
  t.deepEqual(printed, [table]);
  t.deepEqual(bookModel().countParams(), { total: 271_346, trainable: 268_978, nonTrainable: 2_368 });
});

test('a model with branches tells what is added to what', (t) => {
  const model = sequential([
    layers.dense({ units: 4, name: 'stem', inputShape: [4] }),
    layers.dense({ units: 4 }),
    layers.add({ from: ['stem', '@input'] }),
    layers.scalarAffine(),
  ]);
  const lines = model.summary(() => {}).split('\n');
  t.deepEqual(lines.slice(2, 9), [
    'Layer (type)                      Output Shape          Param #  Adds',
    '='.repeat(lines[1]!.length),
    'stem (Dense)                      (None, 4)                  20',
    'dense (Dense)                     (None, 4)                  20',
    'add (Add)                         (None, 4)                   0  stem, @input',
    'scalar_affine (ScalarAffine)      (None, 4)                   2',
    '='.repeat(lines[1]!.length),
  ]);
});

test('a model is shown by its name, and columns stay apart under long names', (t) => {
  const name = 'a_layer_with_a_name_that_is_longer_than_its_column';
  const table = sequential([layers.dense({ units: 2, name, inputShape: [3, 4] })], { name: 'tiny' }).summary(() => {});
  const lines = table.split('\n');
  t.is(lines[0], 'Model: "tiny"');
  t.true(lines.includes(`${name} (Dense) (None, 3, 2)               10`), table);
  t.is(new Set([lines[1], lines[3], lines[4]].map((line) => line?.length)).size, 1);
});
