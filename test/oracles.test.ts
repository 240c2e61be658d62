/**
 * Room: tests of the reference cases' runner, as a command: it judges what it knows, fails what is wrong, lists what nothing
 * supports yet and refuses what it does not know.
 */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { relativeError } from '../scripts/oracles/compare.ts';
import { packageRoot, type Result, start } from './scripts/command.ts';

const program = fileURLToPath(new URL('../scripts/oracles.js', import.meta.url));
const cases = join(packageRoot, 'test/fixtures/oracles');
const parent = mkdtempSync(join(tmpdir(), 'lockstep-oracles-'));
test.after.always(() => rmSync(parent, { recursive: true }));

function folderOf(name: string): string {
  const folder = join(parent, name);
  mkdirSync(folder);
  return folder;
}

async function oracles(folder: string): Promise<Result> {
  return await start(process.execPath, [program, folder]).end;
}

interface DenseCase {
  readonly y: { readonly data: number[] };
}

/** A folder with the first case of dense.json, changed. */
function denseFolder(name: string, change: (value: DenseCase) => void): string {
  const folder = folderOf(name);
  const [value] = JSON.parse(readFileSync(join(cases, 'dense.json'), 'utf8')) as [DenseCase];
  change(value);
  writeFileSync(join(folder, 'dense.json'), JSON.stringify([value]));
  return folder;
}

const summary = (stdout: string): string => stdout.trimEnd().split('\n').at(-1)!;

test('right cases pass, on every kernel set with 1, 2 and 3 workers', async (t) => {
  const { code, stdout, stderr } = await oracles(denseFolder('right', () => {}));
  t.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  t.regex(stdout, /^ok {3}dense\[0\] dense 5 elu dkernel: largest error \S+ of 2e-5 \((wasm|blas), [123] workers\)$/m);
  // y, dx, dkernel and dbias with 1, 2 and 3 workers on one or two kernel sets.
  t.is(summary(stdout), `${stdout.includes('only wasm') ? 12 : 24} checks, 0 over tolerance`);
});

test('one wrong number fails the command', async (t) => {
  const folder = denseFolder('wrong', ({ y }) => {
    y.data[7]! += 1e-3;
  });
  const { code, stdout } = await oracles(folder);
  t.is(code, 1);
  // 1e-3 of the largest y, 3.69.
  t.regex(stdout, /^FAIL dense\[0\] dense 5 elu y: largest error 2\.7e-4 of 2e-5 \(/m);
  t.regex(stdout, /^ok {3}dense\[0\] dense 5 elu dx: /m);
  t.regex(summary(stdout), /^(12 checks, 3|24 checks, 6) over tolerance$/);
});

test('one number too few fails the command', async (t) => {
  const { code, stdout } = await oracles(denseFolder('short', ({ y }) => void y.data.pop()));
  t.is(code, 1);
  t.regex(stdout, /^FAIL dense\[0\] dense 5 elu y: largest error Infinity of 2e-5 \(/m);
});

test('a file of unknown kind is an error, before anything runs', async (t) => {
  for (const name of ['attention.json', 'dense.txt', 'run-lonely.init.safetensors']) {
    const folder = denseFolder(name, () => {});
    writeFileSync(join(folder, name), '[]');
    t.deepEqual(await oracles(folder), {
      code: 2,
      stdout: '',
      stderr: `oracles: Expected only known reference cases in \`${folder}\`, got \`${name}\`; known are activations, dense, batch-normalization, losses, clipping, optimizers, layer-normalization, conv2d, pooling, recurrent and run-*.\n`,
    });
  }
});

test('a folder that is not there is an error', async (t) => {
  const folder = join(parent, 'absent');
  t.deepEqual(await oracles(folder), {
    code: 2,
    stdout: '',
    stderr: `oracles: Expected a folder of reference cases at \`${folder}\`, but it cannot be read; check the path.\n`,
  });
});

test('cases that nothing supports yet are listed and are no failure', async (t) => {
  const folder = folderOf('unsupported');
  for (const name of ['recurrent.json', 'run-small-cnn.json', 'run-small-cnn.init.safetensors', 'run-small-cnn.final.safetensors'])
    cpSync(join(cases, name), join(folder, name));
  const { code, stdout } = await oracles(folder);
  t.is(code, 0);
  const lines = stdout.trimEnd().split('\n');
  t.deepEqual(
    lines.filter((line) => line.includes('not yet supported')).map((line) => line.split(':')[0]),
    ['recurrent[0]', 'recurrent[1]', 'recurrent[2]', 'run-small-cnn[0]'],
  );
  t.is(summary(stdout), '0 checks, 0 over tolerance');
});

test('an error is relative to the largest expected number, and never small for what is missing or not finite', (t) => {
  t.is(relativeError([1, -4], [1, -4]), 0);
  t.is(relativeError([1, -4], [1.5, -4]), 0.125);
  t.is(relativeError([0, 0], [0, 0.25]), 0.25);
  t.is(relativeError([], []), 0);
  t.is(relativeError([1], []), Number.POSITIVE_INFINITY);
  t.is(relativeError([1, 2], [Number.NaN, 2]), Number.POSITIVE_INFINITY);
  t.is(relativeError([1], [Number.POSITIVE_INFINITY]), Number.POSITIVE_INFINITY);
});
