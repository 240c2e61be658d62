/**
 * Room: tests of docs. How a command of the docs becomes one that a test can run in moments: all that is changed is stated here. What cannot be
 * run is named here, too, with its reason.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot, program } from '../scripts/command.ts';
import { type Command, commandsOf } from './shell.ts';

const { scripts } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { readonly scripts: Readonly<Record<string, string>> };

/** Commands that are not run. */
export const notRun: readonly (readonly [command: RegExp, reason: string])[] = [
  [/^npm ci$/, 'would take node_modules away from under the tests'],
  [/^npm (?:test|run check|run build)$/, 'is what runs this test, or builds it'],
  [/^npm run (?:dashboards|guides|protocol)$/, 'writes committed files, which tests compare with what it would write'],
  [/^node dist\/examples\//, 'test/examples.test.ts runs it'],
  [/^npm run soak -- /, 'takes minutes to settle: scripts/soak has tests of its own'],
  [/^npm install |^apt-get install |^brew install /, 'installs from the network'],
  [/^docker /, 'needs Docker: grafana/ has tests of its own'],
  [/^tensorboard /, 'is a program of others, in Python'],
];

/** Why a command is not run; undefined when it is. */
export const reasonAgainst = (text: string): string | undefined => notRun.find(([command]) => command.test(text))?.[1];

/** Codes within sentences that are commands: those that begin so and go on. */
const programs = /^(?:lockstep|npm|npx|node|docker|apt-get|brew|openssl|tensorboard) \S|^[A-Z_]+='/;

/** Names of commands, without all that one needs to run. */
const namesAlone = [
  'lockstep train',
  'lockstep join',
  'lockstep fold',
  'lockstep recalibrate',
  'lockstep evaluate --confusion',
  'lockstep summary --memory',
  'npm run lockstep --',
  'npx lockstep',
];

export const isCommand = (code: string): boolean => programs.test(code) && !namesAlone.includes(code);
export const isName = (code: string): boolean => namesAlone.includes(code);

/** What stands in the docs for something of the reader, and what the prepared folder has for it. */
const placeholders: readonly (readonly [place: RegExp, value: string])[] = [
  [/(?<=--listen \S+ CONFIG) \.\.\.$|(?<=run coordinator -- CONFIG) \.\.\.$/, ' --insecure'],
  [/(?<=train) \.\.\.$/, ' CONFIG'],
  [/(?<= URL) \.\.\.$/, ''],
  [/\bLOG\.\.\./, 'a.jsonl b.jsonl'],
  // A config with normalizations, and weights of its own.
  [/(?<=fold |recalibrate )CONFIG --weights F\.safetensors/, 'normal.json --weights normal.safetensors'],
  [/ --vary \.\.\.(?= |$)/, ''],
  [/\bKEY=V1,V2(?:,\.\.\.)?/, 'optimizer.learningRate=0.01,0.02'],
  [/(?<=sweep .*)--log-dir DIR\b/, '--log-dir logs'],
  [/(?<=convert )IN OUT\b/, 'iris.safetensors out.onnx'],
  [/\bCONFIG\b/g, 'iris.json'],
  [/\bDATA\b/g, 'iris.csv'],
  [/\bDIR\b/g, 'iris-run'],
  [/\bCOLUMN\b/g, 'species'],
  [/\bHOST:PORT\b/g, '127.0.0.1:7070'],
  [/\bURL\b/g, 'ws://HOST:7070'],
  [/--seed N --run I\b/, '--seed 1 --run 0'],
  [/\bF\.safetensors\b/g, 'iris.safetensors'],
  [/--input F\b/, '--input new.csv'],
  [/(?<=init .*)--out F$/, '--out out.json'],
  [/(?<=init .*)--out F (?=--)/, '--out out.json '],
  [/(?<=predict .*)--out F\b/, '--out out.csv'],
  [/\bF\.svg\b/g, 'out.svg'],
  // An address of this machine in the place of the reader's.
  [/\b192\.168\.1\.7\b/g, '127.0.0.1'],
];

/** The commands of a line of the docs: brackets once left out and once taken, placeholders filled in. */
export function commandsIn(line: string): Command[] {
  const forms = line.includes('[') ? [line.replaceAll(/ \[[^\]]*\]/g, ''), line.replaceAll(/[[\]]/g, '')] : [line];
  return forms.flatMap((form) => commandsOf(placeholders.reduce((text, [place, value]) => text.replace(place, value), form)));
}

/** A program with its arguments. */
export interface Call {
  readonly file: string;
  readonly args: readonly string[];
}

/** The program behind the words: scripts of package.json are looked up, and not built again. */
export function callOf(words: readonly string[]): Call {
  const [name, ...args] = words;
  if (name === 'lockstep') return { file: process.execPath, args: [program, ...args] };
  if (name === 'npx') return callOf(args);
  if (name === 'node') return { file: process.execPath, args: [join(packageRoot, args[0]!), ...args.slice(1)] };
  if (name !== 'npm') return { file: name!, args };
  const [script, rest] = args[0] === 'run' ? [args[1]!, args.slice(2)] : [args[0]!, args.slice(1)];
  const line = scripts[script];
  if (line === undefined) throw new Error(`Expected package.json to have the script \`${script}\`.`);
  if (rest.length > 0 && rest[0] !== '--') throw new Error(`Expected \`--\` before arguments of \`npm run ${script}\`.`);
  const last = commandsOf(line).at(-1)!.words;
  return callOf([...last, ...rest.slice(1)]);
}

/** The subcommand of a call of lockstep; undefined for other programs. */
export const subcommandOf = ({ args }: Call): string | undefined => (args[0] === program ? args[1] : undefined);

/** A call that takes moments, and ports that are free. */
export function shortened({ file, args }: Call, steps: readonly string[]): Call {
  const subcommand = subcommandOf({ file, args });
  const free = args.map((arg, i) => (args[i - 1] === '--metrics' || args[i - 1] === '--listen' ? arg.replace(/:\d+$/, ':0') : arg));
  const metrics = args.includes('--metrics') ? [] : ['--metrics', '127.0.0.1:0'];
  if (subcommand === 'train') return { file, args: [...free, ...metrics, ...steps] };
  if (subcommand === 'join') return { file, args: [...free, ...metrics] };
  if (subcommand === 'sweep') return { file, args: [...args, '--steps', '5'] };
  const script = args[0]?.replace(packageRoot, '');
  if (script === 'dist/scripts/chaos.js') return { file, args: [...args, '--minutes', '0.001', '--faults', '1'] };
  if (script === 'dist/scripts/oracles.js') return { file, args: [...args, 'one-oracle'] };
  if (script === 'dist/scripts/bench/main.js') return { file, args: [...args, 'gemm'] };
  return { file, args };
}
