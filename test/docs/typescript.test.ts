/**
 * Room: tests of docs. Programs in TypeScript as a user has them: in a folder of their own with the package beside them, compiled with all checks, and
 * run for two steps. What a block takes for granted is put before it.
 */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { packageRoot, start } from '../scripts/command.ts';
import { at, type Block, documents } from './markdown.ts';

/** What stands before a block, by its document or its heading there, and what is then printed. */
const settings: Readonly<Record<string, { readonly before: string; readonly prints: RegExp }>> = {
  'README.md': { before: '', prints: /^0 \{\n? *loss: [\s\S]*\n[0-9a-f]{64} / },
  'docs/interop.md': { before: '', prints: /^Int32Array\(1\) \[ [0-2] \]\n$/ },
  'docs/usage.md: In TypeScript': {
    before: `import { layers, sequential } from 'lockstep';
const model = sequential([layers.dropout({ rate: 0.5, inputShape: [2] })]);
model.initialize(1);
const rows = [[1, 2]];
`,
    prints: /^20\n$/,
  },
  'docs/usage.md: Residual networks': { before: '', prints: /\nblock_30 \(Add\) +\(None, 16\) +0 {2}block_29\ndense_60 / },
  'docs/guides/batch-normalization.md': { before: '', prints: /batch_normalization \(BatchNormalization\)/ },
  'docs/guides/folding.md': { before: '', prints: /into: 'dense'/ },
  'docs/guides/clipping.md': { before: '', prints: /^1 0\.\d+ 1\n2 / },
  'docs/guides/pretrained-layers.md': { before: '', prints: /new_head \(Dense\)/ },
  'docs/errors.md': {
    before: `import { layers, optimizers, sequential, type TrainOptions } from 'lockstep';
const options: TrainOptions = {
  model: sequential([layers.dense({ units: 1 })]),
  data: { train: { x: [[1e38], [3e38]], y: [[1], [-1]] } },
  loss: 'meanSquaredError',
  optimizer: optimizers.sgd({ learningRate: 1 }),
  epochs: 20,
};
`,
    prints: /^Lower the learning rate: \S.*\n$/,
  },
};

const folder = mkdtempSync(join(tmpdir(), 'lockstep-user-'));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));
mkdirSync(join(folder, 'node_modules', '@types'), { recursive: true });
symlinkSync(packageRoot, join(folder, 'node_modules', 'lockstep'));
symlinkSync(join(packageRoot, 'node_modules', '@types', 'node'), join(folder, 'node_modules', '@types', 'node'));
writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
writeFileSync(
  join(folder, 'tsconfig.json'),
  JSON.stringify({ compilerOptions: { target: 'es2023', module: 'nodenext', types: ['node'], strict: true, exactOptionalPropertyTypes: true, noUnusedLocals: true } }),
);

const settingOf = ({ file, section }: Block) => settings[`${file}: ${section}`] ?? settings[file]!;

const blocks = documents.flatMap(({ blocks: all }) => all).filter(({ language }) => language === 'ts');
const named = blocks.map((block, index) => ({ block, name: `block-${index}` }));

test.before('all blocks compile against the package, whose declarations are checked, too', async (t) => {
  for (const { block, name } of named) {
    const { before } = settingOf(block);
    writeFileSync(join(folder, `${name}.ts`), before + block.text.replace(/\bepochs: \d+/, 'steps: 2'));
  }
  const { code, stdout } = await start(process.execPath, [join(packageRoot, 'node_modules/typescript/bin/tsc'), '-p', folder], { cwd: folder }).end;
  t.is(code, 0, stdout);
});

for (const { block, name } of named) {
  test(`${at(block)} runs`, async (t) => {
    const { code, stdout, stderr } = await start(process.execPath, [join(folder, `${name}.js`)], { cwd: folder }).end;
    t.is(code, 0, stderr);
    t.regex(stdout, settingOf(block).prints);
  });
}
