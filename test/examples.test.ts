/**
 * Every example is what a reader would copy: it runs as it stands, and README shows the same text.
 */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import test from 'ava';
import { readRunConfig } from '../src/config/file.ts';
import { Model } from '../src/model/model.ts';

const run = promisify(execFile);
const root = new URL('../../', import.meta.url);

test("README's example in TypeScript is examples/mnist.ts", (t) => {
  const [, code] = /```ts\n([\s\S]*?)```/.exec(readFileSync(new URL('README.md', root), 'utf8')) ?? [];
  t.is(code, readFileSync(new URL('examples/mnist.ts', root), 'utf8'));
});

test('the example in TypeScript runs and learns', async (t) => {
  const { stdout } = await run(process.execPath, [new URL('dist/examples/mnist.js', root).pathname]);
  const accuracy = Number(/accuracy: ([\d.]+)/.exec(stdout)?.[1]);
  t.true(accuracy > 0.94, stdout);
  t.regex(stdout, /[0-9a-f]{64}/);
});

for (const name of readdirSync(new URL('examples/', root)).filter((file) => file.endsWith('.json'))) {
  test(`examples/${name} is a valid config for its data's shape`, (t) => {
    const { model } = readRunConfig(new URL(`examples/${name}`, root).pathname);
    t.is(new Model(model).countParams().total, 271_346);
  });
}
