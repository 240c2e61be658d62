/**
 * Room: tests of errors. The codes, what throws them and what is written about them are the same list.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { type ErrorCode, errorCodes, isLockstepError, LockstepError } from '../src/errors.ts';
import { withoutComments } from './architecture/rules.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const codes = Object.entries(errorCodes);

/** The code of src/, cluster/ and scripts/, without comments and without the list itself. */
const sources = ['src', 'cluster', 'scripts']
  .flatMap((folder) => readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((path) => join(root, folder, path)))
  .filter((path) => path.endsWith('.ts') && path !== join(root, 'src', 'errors.ts'))
  .map((path) => withoutComments(readFileSync(path, 'utf8')))
  .join('\n');

test('every code is used somewhere', (t) => {
  for (const [code] of codes) t.true(new RegExp(`['"]${code}['"]`).test(sources), code);
});

test('every code that is used is in the list', (t) => {
  // A variable of the environment is no code.
  const codesUsed = [...sources.matchAll(/['"](LOCKSTEP_[A-Z_]+)['"]/g)].filter(([, code]) => code !== 'LOCKSTEP_FAULT');
  for (const [, code] of codesUsed) t.true(code! in errorCodes, code);
});

test('docs/errors.md lists every code with its exit code and meaning, and no other', (t) => {
  const rows = readFileSync(join(root, 'docs', 'errors.md'), 'utf8')
    .split('\n')
    .map((line) => /^\| `(LOCKSTEP_\w+)` +\| (\d+) +\| (.+?) +\|$/.exec(line))
    .filter((row) => row !== null)
    .map(([, code, exit, meaning]) => [code, { exit: Number(exit), meaning }]);
  t.deepEqual(rows, codes);
});

test('exit codes are 2 for wrong usage and 1 for a failed run', (t) => {
  for (const [code, { exit, meaning }] of codes) {
    t.true([1, 2].includes(exit), code);
    t.regex(meaning, /^[A-Z].*\.$/, code);
  }
});

test('an error carries its code, message and cause', (t) => {
  const cause = new Error('why');
  const error = new LockstepError('LOCKSTEP_DATA', 'Expected rows, got none.', { cause });
  t.true(error instanceof Error);
  t.is(error.name, 'LockstepError');
  t.is(error.code, 'LOCKSTEP_DATA');
  t.is(error.message, 'Expected rows, got none.');
  t.is(error.cause, cause);
});

test('an error is ours by its code, also after it lost its class', (t) => {
  const without = (code: unknown): Error => Object.assign(new Error('x'), { code });
  t.true(isLockstepError(new LockstepError('LOCKSTEP_USAGE', 'x')));
  t.true(isLockstepError(without('LOCKSTEP_USAGE' satisfies ErrorCode)));
  for (const code of ['ENOENT', 'LOCKSTEP_NOTHING', 7, undefined]) t.false(isLockstepError(without(code)), String(code));
  for (const value of [undefined, null, 'LOCKSTEP_USAGE', { code: 'LOCKSTEP_USAGE' }, new Error('x')]) t.false(isLockstepError(value));
});

test('names that every object has are not codes', (t) => {
  for (const code of ['toString', 'constructor', '__proto__', 'hasOwnProperty']) t.false(isLockstepError(Object.assign(new Error('x'), { code })), code);
});
