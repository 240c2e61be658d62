/**
 * Room: tests of docs. What the docs show of outputs and folders is what commands print and write.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { readSafetensors, writeSafetensors } from '../../src/checkpoint/safetensors.ts';
import { callOf, shortened } from './adapt.ts';
import { unlike } from './forms.ts';
import { at, documents } from './markdown.ts';
import { outputs, type Rule } from './rules.ts';
import { commandsOf } from './shell.ts';
import { begin, inTurn, prepared } from './stage.ts';

const stage = prepared();

const shown = (rule: Rule) => documents.flatMap(({ blocks }) => blocks).find(rule)!;
const title = (rule: Rule): string => at(shown(rule));

/** The output of a command in the folder. */
async function output(folder: string, line: string, code = 0): Promise<string> {
  const result = await inTurn(async () => await begin(folder, shortened(callOf(commandsOf(line)[0]!.words), [])).end);
  if (result.code !== code) throw new Error(`Expected exit code ${code} of \`${line}\`, got ${result.code}:\n${result.stdout}${result.stderr}`);
  return result.stdout;
}

test(`${title(outputs.start)}: what npm start prints`, async (t) => {
  const printed = await output(stage.copy(), 'npm start -- --epochs 2');
  // On a machine that is busy enough for a step to come 5 s after the last line, there is a line about it.
  t.is(unlike(shown(outputs.start).text, printed.replaceAll(/^step .*\n/gm, '')), undefined);
});

test(`${title(outputs.init)}: what init prints`, async (t) => {
  const folder = stage.copy();
  const [command, ...lines] = shown(outputs.init).text.split('\n') as [string, ...string[]];
  const line = command.replace(/^\$ /, '').replace('iris.json', 'again.json');
  t.is(unlike(lines.join('\n').replaceAll('iris.json', 'again.json'), await output(folder, line)), undefined);
  t.is(readFileSync(join(folder, 'again.json'), 'utf8'), readFileSync(join(folder, 'iris.json'), 'utf8'));
});

test(`${title(outputs.predict)}: what predict writes`, async (t) => {
  const folder = stage.copy();
  await output(folder, 'lockstep predict iris.json --weights iris.safetensors --input new.csv --out predicted.csv');
  t.is(unlike(`${shown(outputs.predict).text}\n...`, readFileSync(join(folder, 'predicted.csv'), 'utf8')), undefined);
});

test(`${title(outputs.findRate)}: what find-lr prints`, async (t) => {
  t.is(unlike(shown(outputs.findRate).text, await output(stage.copy(), 'lockstep find-lr iris.json')), undefined);
});

test(`${title(outputs.firstWeights)}: what train prints of weights that are taken layer by layer`, async (t) => {
  const folder = stage.copy();
  const weights = readSafetensors(join(folder, 'normal.safetensors'));
  const names: Readonly<Record<string, string>> = { dense: 'stem', dense_1: 'head' };
  const renamed = [...weights].map(([name, tensor]) => ({ ...tensor, name: name.replace(/^[^/]+/, (layer) => names[layer] ?? layer) }));
  await writeSafetensors(join(folder, 'old.safetensors'), renamed);
  const printed = await output(folder, "lockstep train normal.json --steps 1 --init old.safetensors --init-partial --init-names 'head=dense_1'");
  t.is(unlike(`${shown(outputs.firstWeights).text}\n...`, printed.slice(printed.indexOf('layer  '))), undefined);
});

test(`${title(outputs.sweep)}: what sweep prints`, async (t) => {
  const line = documents.flatMap(({ blocks }) => blocks).find(({ text }) => text.startsWith('lockstep sweep examples/'))!.text;
  // Which variant is the best is not the same after every number of steps.
  const printed = await output(stage.copy(), line);
  const lines = printed.slice(printed.indexOf('globalClipnorm  ')).split('\n');
  const end = lines.findIndex((text) => text.startsWith('least '));
  const table = [...lines.slice(0, 2), ...lines.slice(end - 1, end), lines[end]!.replace('Clipnorm=none', 'Clipnorm=1')];
  t.is(end, 7);
  t.is(unlike(shown(outputs.sweep).text.replace('...\n', ''), table.join('\n')), undefined);
});

test(`${title(outputs.checkpoints)}: what checkpoints prints of whole and damaged ones`, async (t) => {
  const folder = stage.copy();
  const [heading, whole, damaged] = shown(outputs.checkpoints).text.split('\n') as [string, string, string];
  t.is(unlike(`${heading}\n${whole}\n...`, await output(folder, 'lockstep checkpoints iris-run')), undefined);
  const checkpoints = join(folder, 'iris-run', 'checkpoints');
  // The newest: it is that of the last epoch and has a metric, however busy the machine was before.
  const newest = readdirSync(checkpoints)
    .filter((name) => /^step-\d+$/.test(name))
    .toSorted()
    .at(-1)!;
  const weights = join(checkpoints, newest, 'weights.safetensors');
  const bytes = readFileSync(weights);
  bytes[bytes.length - 1]! ^= 1;
  writeFileSync(weights, bytes);
  t.is(unlike(`${heading}\n${damaged}\n...`, await output(folder, 'lockstep checkpoints iris-run', 1)), undefined);
});

test(`${title(outputs.folder)}: what is in the folder of checkpoints`, (t) => {
  const pattern = (name: string): RegExp => new RegExp(`^${name.replaceAll('.', '\\.').replaceAll(/\d+/g, (digits) => `\\d{${digits.length}}`)}$`);
  const found = readdirSync(join(stage.folder, 'iris-run'), { recursive: true, encoding: 'utf8' });
  const names = shown(outputs.folder).text.split('\n');
  const parents: string[] = [];
  for (const line of names) {
    const [, indent, name] = /^( *)([\w.-]+)/.exec(line)!;
    parents.splice(indent!.length / 2, Number.POSITIVE_INFINITY, name!);
    const path = parents.join('/');
    t.true(
      found.some((each) => pattern(path).test(each)),
      path,
    );
  }
  const files = names.flatMap((line) => /^ {4}([\w.]+)/.exec(line)?.slice(1) ?? []);
  const step = found.find((each) => /step-\d+$/.test(each))!;
  t.deepEqual(readdirSync(join(stage.folder, 'iris-run', step)).toSorted(), files.toSorted());
  const weights = readFileSync(join(stage.folder, 'iris-run', step, 'weights.safetensors'));
  const header = JSON.parse(weights.toString('utf8', 8, 8 + Number(weights.readBigUInt64LE()))) as { __metadata__: Record<string, string> };
  t.deepEqual(Object.keys(header.__metadata__), Object.keys(JSON.parse('{"format": "lockstep", "step": "1200"}')));
  t.is(Number(header.__metadata__['step']), Number(step.slice(-9)));
});

test('an output of other words, or with lines that are not shown, has another form', (t) => {
  t.is(unlike('done: 2345 steps in 4 s', 'done: 3 steps in 1.5 s\n'), undefined);
  t.is(unlike('done: 2345 steps in 4 s', 'done: 3 steps of 1.5 s\n'), 'done: 2345 steps in 4 s');
  t.is(unlike('a 1', 'a 2\nb\n'), '(the end, not: b)');
  t.is(unlike('a\n...\nz', 'a\nb\nz\n'), undefined);
  t.is(unlike('a\n...\nz', 'a\nb\n'), 'z');
});
