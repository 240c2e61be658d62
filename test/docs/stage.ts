/**
 * Room: tests of docs. A folder that has what the docs assume: the files of a clone, a table of flowers with a config, weights, logs and checkpoints
 * of it. In it the commands of a section run one after another, as a reader would type them; a coordinator waits for those who join.
 */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { packageRoot, type Result, type Running, start } from '../scripts/command.ts';
import { numbers } from '../toy.ts';
import { type Call, callOf, shortened, subcommandOf } from './adapt.ts';
import type { Command } from './shell.ts';

/** Rows of four numbers around a centre for each kind, far apart. */
function flowers(perKind: number, seed: number): string[] {
  const centres = { setosa: [5, 3.4, 1.5, 0.2], versicolor: [5.9, 2.8, 4.3, 1.3], virginica: [6.6, 3, 5.6, 2] };
  return Object.entries(centres).flatMap(([kind, centre], k) =>
    Array.from({ length: perKind }, (_, row) => {
      const noise = numbers(4, 1000 * seed + 100 * k + row);
      return [...centre.map((value, i) => (value + 0.2 * noise[i]!).toFixed(2)), kind].join(',');
    }),
  );
}

/** What a reader of the docs has: made once a test file. */
export function prepared(): { readonly folder: string; copy(): string } {
  const base = mkdtempSync(join(tmpdir(), 'lockstep-docs-'));
  const folder = join(base, 'prepared');
  mkdirSync(folder);
  let copies = 0;
  const copy = (): string => {
    const path = join(base, `copy-${copies++}`);
    cpSync(folder, path, { recursive: true, verbatimSymlinks: true });
    return path;
  };
  for (const name of readdirSync(packageRoot)) if (!name.startsWith('.')) symlinkSync(join(packageRoot, name), join(folder, name));
  const names = 'sepal_length,sepal_width,petal_length,petal_width';
  writeFileSync(join(folder, 'iris.csv'), `${[`${names},species`, ...flowers(50, 1)].join('\n')}\n`);
  writeFileSync(join(folder, 'new.csv'), `${[names, ...flowers(2, 2).map((row) => row.slice(0, row.lastIndexOf(',')))].join('\n')}\n`);
  mkdirSync(join(folder, 'one-oracle'));
  cpSync(join(packageRoot, 'test/fixtures/oracles/activations.json'), join(folder, 'one-oracle/activations.json'));
  const table = { format: 'csv', file: 'iris.csv', label: 'species', normalize: 'standard' };
  const normalised = [{ type: 'dense', units: 8 }, { type: 'batchNormalization' }, { type: 'dense', units: 3, activation: 'softmax' }];
  const normal = { model: { layers: normalised }, data: { train: table }, loss: 'sparseCategoricalCrossentropy', optimizer: { type: 'sgd' } };
  writeFileSync(join(folder, 'normal.json'), JSON.stringify(normal));
  test.before('the folder that the docs assume is made by the commands themselves', async (t) => {
    for (const words of [
      ['init', 'iris.csv', '--out', 'iris.json'],
      ['train', 'iris.json', '--save', 'iris.safetensors', '--log', 'a.jsonl', '--run-dir', 'iris-run', '--best', 'val_loss', '--checkpoint-every', '2epoch'],
      ['train', 'iris.json', '--log', 'b.jsonl', '--seed', '1', '--steps', '20'],
      ['train', 'normal.json', '--save', 'normal.safetensors', '--steps', '2'],
    ]) {
      const { code, stderr } = await begin(folder, callOf(['lockstep', ...words])).end;
      t.is(code, 0, stderr);
    }
  });
  test.after.always(() => rmSync(base, { recursive: true, force: true }));
  return { folder, copy };
}

const waiting: (() => void)[] = [];
let free = 2;

/** Does it when fewer than two others are at work: all that is run here has several threads. */
export async function inTurn<T>(act: () => Promise<T>): Promise<T> {
  if (free === 0) await new Promise<void>((resolve) => waiting.push(resolve));
  else free--;
  try {
    return await act();
  } finally {
    const next = waiting.shift();
    if (next) next();
    else free++;
  }
}

/** Starts a program in the folder, which is its home, too. */
export function begin(folder: string, { file, args }: Call, variables: Readonly<Record<string, string>> = {}): Running {
  return start(file, args, { cwd: folder, env: { HOME: folder, TMPDIR: folder, ...variables } });
}

export interface Outcome extends Result {
  readonly text: string;
}

/** Options whose file or folder a command makes: it is not there before. */
const made = ['--out', '--save', '--log', '--run-dir', '--token-file', '-keyout'];

/** Few steps, for what no output is shown of. */
export const fewSteps = ['--steps', '3'];

/** Resolves to what the pattern finds in the output. */
function heard({ child, end }: Running, pattern: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = '';
    child.stdout!.on('data', (text: string) => {
      said += text;
      const [found] = pattern.exec(said) ?? [];
      if (found !== undefined) resolve(found);
    });
    end.then(({ stderr }) => reject(new Error(`Expected the output to match ${pattern}, got:\n${said}${stderr}`)), reject);
  });
}

/** Runs commands one after another in the folder; all that joins and all that waits for it has ended when it resolves. */
export async function runAll(folder: string, commands: readonly Command[], steps: readonly string[] = fewSteps): Promise<Outcome[]> {
  const outcomes: Promise<Outcome>[] = [];
  let url: string | undefined;
  const tell = async ({ text }: { text: string }, end: Promise<Result>): Promise<Outcome> => ({ text, ...(await end) });
  const calls = commands.map((command) => ({ command, call: shortened(callOf(command.words), steps) }));
  for (const [index, { command, call }] of calls.entries()) {
    const joins = subcommandOf(call) === 'join';
    if (subcommandOf(call) === 'init') rmSync(join(folder, 'lockstep.json'), { force: true });
    if (!joins) for (const [i, arg] of call.args.entries()) if (made.includes(call.args[i - 1]!)) rmSync(join(folder, arg), { recursive: true, force: true });
    if (call.args.includes('--listen')) {
      const followed = calls.slice(index + 1).some((later) => subcommandOf(later.call) === 'join');
      const coordinator = begin(folder, { ...call, args: [...call.args, ...(followed ? ['--min-hosts', '2'] : [])] }, command.variables);
      outcomes.push(tell(command, coordinator.end));
      if (followed) url = await heard(coordinator, /wss?:\/\/\S+:\d+(?=\D)/);
    } else if (joins) {
      if (url === undefined) {
        const lone = callOf(['lockstep', 'train', 'iris.json', '--listen', '127.0.0.1:0', '--min-hosts', '2', '--metrics', '127.0.0.1:0', ...steps]);
        const coordinator = begin(folder, lone);
        outcomes.push(tell({ text: 'its coordinator' }, coordinator.end));
        url = await heard(coordinator, /wss?:\/\/\S+:\d+(?=\D)/);
      }
      const dialled = url.replace(/\/\/.*(?=:\d+$)/, '//127.0.0.1');
      outcomes.push(tell(command, begin(folder, { ...call, args: call.args.map((arg) => (/^wss?:/.test(arg) ? dialled : arg)) }, command.variables).end));
      url = undefined;
    } else if (command.words.join(' ').startsWith('npm run monitor')) {
      outcomes.push(tell(command, monitored(folder, call)));
    } else {
      const outcome = await tell(command, begin(folder, call, command.variables).end);
      outcomes.push(Promise.resolve(outcome));
      if (command.output !== undefined) writeFileSync(join(folder, command.output), outcome.stdout);
      if (call.args.includes('--resume')) outcomes.push(tell({ text: `${command.text} (once more)` }, begin(folder, call).end));
    }
  }
  return await Promise.all(outcomes);
}

/** Prometheus runs until it is interrupted. */
async function monitored(folder: string, call: Call): Promise<Result> {
  const running = begin(folder, call);
  await running.says('http://127.0.0.1:9464/');
  running.child.kill('SIGINT');
  return await running.end;
}
