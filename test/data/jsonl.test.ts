/** Room: tests of data. JSON lines. */
import test from 'ava';
import { parseDataConfig } from '../../src/config/parse.ts';
import { openData } from '../../src/data/datasets.ts';
import { rejection, temporaryFolder } from './folder.ts';

const file = temporaryFolder();
const open = (text: string, fields: object) => openData(parseDataConfig({ format: 'jsonl', file: file('data.jsonl', text), ...fields }));
const refused = async (text: string, fields: object) => (await rejection('LOCKSTEP_DATA', open(text, fields))).replace(/`[^`]*data\.jsonl`/, '`data.jsonl`');
const arrays = { inputs: 'x', label: 'y' };

test('inputs are nested arrays of one key, texts are classes', async (t) => {
  const source = await open('\uFEFF{"x":[[1,2],[3,4]],"y":"dog","w":1}\r\n\n{"y":"cat","x":[[5,6],[7,8]],"w":0.5}', { ...arrays, sampleWeights: 'w' });
  const rows = new Float32Array(8);
  source.readAll(rows);
  t.like(source, { length: 2, inputShape: [2, 2] });
  t.deepEqual([...rows], [1, 2, 3, 4, 5, 6, 7, 8]);
  t.deepEqual([...source.labels.values], [1, 0]);
  t.deepEqual(source.weights, Float32Array.of(1, 0.5));
  t.deepEqual(source.texts, { classes: ['cat', 'dog'], columns: {} });
});

test('inputs are numbers of several keys, targets an array', async (t) => {
  const source = await open('{"a":1,"b":2,"t":[3,4]}\n{"a":5,"b":6,"t":[7,8]}\n{"a":5,"b":6,"t":[7,8]}\n', { inputs: ['b', 'a'], target: 't', limit: 2 });
  const rows = new Float32Array(4);
  source.readAll(rows);
  t.deepEqual([...rows], [2, 1, 6, 5]);
  t.deepEqual(source.labels, { kind: 'target', shape: [2], values: Float32Array.of(3, 4, 7, 8) });
});

test('mistakes are told with line and key', async (t) => {
  t.is(
    await refused('{"x":[1],"y":0}\n{"x":["1"],"y":0}', arrays),
    'Expected row 2 of `data.jsonl` to have a number in column `"x[0]"`, got `"1"`; mend or leave out the row.',
  );
  t.is(
    await refused('{"x":[1,2],"y":0}\n{"x":[1],"y":0}', arrays),
    'Expected row 2 of `data.jsonl` to have an array of the shape [2] of the first in column `"x[0]"`, got another at `"x"`; mend or leave out the row.',
  );
  t.is(
    await refused('{"x":[1],"y":0}\n{"x":[1]', arrays),
    'Expected `data.jsonl` to hold one JSON object a line, got `"{\\"x\\":[1]"` in line 2; mend or leave out the line.',
  );
  t.is(await refused('[1]', arrays), 'Expected `data.jsonl` to hold one JSON object a line, got `[1]` in line 1; name its values.');
  t.is(await refused('{"x":[1]}', arrays), 'Expected `data.jsonl` to have `"y"` in every line, got none in line 1; check the key.');
  t.is(
    await refused('{"x":1,"y":0}', arrays),
    'Expected `data.jsonl` to have an array of numbers at `"x"`, got `1` in line 1; give the keys of single numbers as a list.',
  );
  t.is(await refused('{"x":[1],"y":0}\n{"x":[1]}', arrays), 'Expected row 2 of `data.jsonl` to have a number in column `"y"`, got nothing; mend or leave out the row.');
  t.is(await refused('\n\n', arrays), 'Expected `data.jsonl` to hold at least one row, got an empty file; give it data.');
});

test('a file cut anywhere is refused or has fewer rows', async (t) => {
  const whole = '{"x":[1.25],"y":1}\n{"x":[2],"y":0}\n';
  for (let length = 0; length < whole.length; length++) {
    const [result] = await Promise.allSettled([open(whole.slice(0, length), arrays)]);
    if (result.status === 'rejected') t.is(result.reason.code, 'LOCKSTEP_DATA');
    else t.is(result.value.length, length < 34 ? 1 : 2);
  }
});

test('lines across the pieces that are read are whole', async (t) => {
  const count = 300_000;
  const source = await open(Array.from({ length: count }, (_, row) => `{"x":[${row},${row}.5],"y":${row % 5}}`).join('\n'), arrays);
  const rows = new Float32Array(2 * count);
  source.readAll(rows);
  t.is(source.length, count);
  t.deepEqual(
    [...source.labels.values.keys()].filter((row) => rows[2 * row] !== row || rows[2 * row + 1] !== row + 0.5 || source.labels.values[row] !== row % 5),
    [],
  );
});
