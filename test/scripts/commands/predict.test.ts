/**
 * Room: tests of scripts. `lockstep predict`: rows of a file, with labels or without, become predictions in each format.
 */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'ava';
import { Model } from '../../../src/model/model.ts';
import { temporaryFolder } from '../../data/folder.ts';
import { numbers } from '../../toy.ts';
import { lockstep, pictures, writeRun } from '../command.ts';

const file = temporaryFolder();
const run = writeRun(file);
const at = (name: string): string => join(dirname(run), name);
const weights = at('weights.safetensors');

test.before(async (t) => {
  t.is((await lockstep('train', run, '--epochs', '1', '--quiet', '--save', weights)).code, 0);
});

test('the rows of IDX images become an npy file of what the model itself predicts, the same for any number of workers', async (t) => {
  file('new-images', pictures(70, 9).images);
  const outputs: Buffer[] = [];
  for (const workers of ['1', '2']) {
    const out = at(`new-${workers}.npy`);
    const { code, stdout, stderr } = await lockstep(
      'predict',
      run,
      '--weights',
      weights,
      '--input',
      at('new-images'),
      '--out',
      out,
      '--workers',
      workers,
      '--shards',
      '3',
    );
    t.deepEqual({ code, stderr }, { code: 0, stderr: '' });
    t.is(stdout, `\`${at('new-images')}\`: 70 predictions written to ${out}\n`);
    outputs.push(readFileSync(out));
  }
  t.true(outputs[0]!.equals(outputs[1]!));
  t.is(outputs[0]!.length, 128 + 4 * 3 * 70);
  t.is(outputs[0]!.toString('latin1', 0, 10), '\x93NUMPY\x01\x00v\x00');
  t.is(outputs[0]!.toString('latin1', 10, 128).trimEnd(), "{'descr': '<f4', 'fortran_order': False, 'shape': (70, 3), }");
  const rows = Float32Array.from(pictures(70, 9).images.subarray(16), (byte) => byte / 255);
  const expected = Model.from(weights).predict(rows).data;
  const found = new Float32Array(Uint8Array.from(outputs[0]!.subarray(128)).buffer);
  t.true(found.every((value, i) => Math.abs(value - expected[i]!) < 1e-6));
});

test('without an input the validation data are predicted; classes without names are numbers', async (t) => {
  t.is((await lockstep('predict', run, '--weights', weights, '--out', at('validation.jsonl'))).code, 0);
  const lines = readFileSync(at('validation.jsonl'), 'utf8').trimEnd().split('\n');
  t.is(lines.length, 30);
  for (const line of lines) {
    const { class: best, outputs } = JSON.parse(line) as { class: number; outputs: number[] };
    t.is(best, outputs.indexOf(Math.max(...outputs)));
  }
});

test('rows of a table need no label, and get the normalization and the names of classes that were learnt', async (t) => {
  const rows = Array.from({ length: 60 }, (_, row) => [...numbers(2, row)].map((value) => 1000 + 50 * value) as [number, number]);
  const kind = ([a, b]: [number, number]): string => (a > b ? 'left, "l"' : 'right');
  const csv = (labelled: boolean): string =>
    [`a,b${labelled ? ',kind' : ''}`, ...rows.map((row) => `${row.join(',')}${labelled ? `,"${kind(row).replaceAll('"', '""')}"` : ''}`)].join('\n');
  file('kinds.csv', csv(true));
  file('bare.csv', csv(false));
  t.is((await lockstep('init', at('kinds.csv'), '--out', at('kinds.json'))).code, 0);
  const learnt = at('kinds.safetensors');
  t.is((await lockstep('train', at('kinds.json'), '--epochs', '60', '--quiet', '--save', learnt)).code, 0);
  const found: string[] = [];
  for (const input of ['kinds', 'bare']) {
    const { code, stderr } = await lockstep('predict', at('kinds.json'), '--weights', learnt, '--input', at(`${input}.csv`), '--out', at(`${input}-out.csv`));
    t.deepEqual({ code, stderr }, { code: 0, stderr: '' });
    found.push(readFileSync(at(`${input}-out.csv`), 'utf8'));
  }
  t.is(found[0], found[1]);
  const [header, ...lines] = found[0]!.trimEnd().split('\n');
  t.is(header, 'class,"left, ""l""",right');
  const right = lines.filter((line, i) => line.startsWith('right,') === (kind(rows[i]!) === 'right')).length;
  t.true(right > 50, `${right} of 60 right`);
});

test('another ending, a missing file and rows of another shape are refused', async (t) => {
  const ask = async (...more: string[]): Promise<string> => (await lockstep('predict', run, '--weights', weights, ...more)).stderr;
  t.is(await ask('--out', at('x.txt')), `lockstep: Expected \`--out\` to end in .npy, .csv or .jsonl, got \`${at('x.txt')}\`; the ending says the format.\n`);
  t.regex(await ask('--input', at('absent'), '--out', at('x.csv')), /^lockstep: Expected an image file at /);
  t.regex(await ask('--out', at('absent/x.csv')), /^lockstep: Expected to write predictions to .*\(ENOENT\)/);
});
