/**
 * Room: tests of scripts. The command line as users have it: a process of its own, its output and its exit code. With it a
 * data set of IDX files and a config that trains on them in a moment.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { idxBytes } from '../data/folder.ts';
import { numbers } from '../toy.ts';

export const program = fileURLToPath(new URL('../../scripts/lockstep.js', import.meta.url));

/** The root of the package: where examples are. */
export const packageRoot = fileURLToPath(new URL('../../../', import.meta.url));

export interface Result {
  /** The exit code; null when a signal ended the process. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running command. */
export interface Running {
  readonly child: ChildProcess;
  readonly end: Promise<Result>;
  /** Resolves when standard output holds `text`; rejects when the process ends without it. */
  says(text: string): Promise<void>;
}

/** No command here takes longer, on the slowest machine. */
const deadlineMs = 90_000;

/** Without an endpoint for metrics, unless a test wants one: ports are few, and who gets which is told. */
function unwatched(args: readonly string[]): readonly string[] {
  const runs = args.includes(program) && (args.includes('train') || args.includes('join'));
  return runs && !args.some((arg) => arg.startsWith('--metrics')) ? [...args, '--metrics', 'off'] : args;
}

interface Surroundings {
  readonly cwd?: string;
  /** More variables. */
  readonly env?: Readonly<Record<string, string>>;
  /** The standard input is there, and nothing comes. */
  readonly silentInput?: boolean;
}

/** Starts a program. It is killed at the deadline. */
export function start(file: string, args: readonly string[], { cwd, env, silentInput = false }: Surroundings = {}): Running {
  const child = spawn(file, unwatched(args), {
    stdio: [silentInput ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    timeout: deadlineMs,
    killSignal: 'SIGKILL',
    env: { ...process.env, NO_COLOR: '1', ...env },
    ...(cwd !== undefined && { cwd }),
  });
  let [stdout, stderr] = ['', ''];
  child.stdout!.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const end = new Promise<Result>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
  const says = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (stdout.includes(text)) resolve();
      };
      child.stdout!.on('data', look);
      look();
      end.then(() => reject(new Error(`Expected the output to hold "${text}", got:\n${stdout}${stderr}`)), reject);
    });
  return { child, end, says };
}

/** Runs `lockstep` to its end. */
export async function lockstep(...args: string[]): Promise<Result> {
  return await start(process.execPath, [program, ...args]).end;
}

export const classes = 3;

/** IDX files of `rows` pictures of 4 x 4 bytes; the class of each is the largest of its first three bytes. */
export function pictures(rows: number, seed: number): { images: Buffer; labels: Buffer } {
  const bytes = Uint8Array.from(numbers(16 * rows, seed), (value) => 128 * (value + 1));
  const labels = Array.from({ length: rows }, (_, row) => {
    const scores = bytes.subarray(16 * row, 16 * row + classes);
    return scores.indexOf(Math.max(...scores));
  });
  return { images: idxBytes([rows, 4, 4], bytes), labels: idxBytes([rows], labels) };
}

/** The names of a model's weights in model order, for the config below. */
export const weightNames = [
  ...['gamma', 'beta', 'moving_mean', 'moving_variance'].map((name) => `batch_normalization/${name}`),
  'dense/kernel',
  'dense/bias',
  'dense_1/kernel',
  'dense_1/bias',
];

/** A run over 200 pictures in batches of 50, judged on 30 others. */
export const config = {
  model: {
    layers: [
      { type: 'flatten' },
      { type: 'batchNormalization' },
      { type: 'dense', units: 8, activation: 'relu' },
      { type: 'dense', units: classes, activation: 'softmax' },
    ],
  },
  data: {
    train: { format: 'idx', images: 'train-images', labels: 'train-labels', scale: 255 },
    validation: { format: 'idx', images: 'test-images', labels: 'test-labels', scale: 255 },
  },
  loss: 'sparseCategoricalCrossentropy',
  metrics: ['accuracy'],
  optimizer: { type: 'sgd', learningRate: 0.1, momentum: 0.9, globalClipnorm: 0.5 },
  batchSize: 50,
  kernels: 'wasm',
  workers: 2,
};

/** Writes the data and returns the path of the config, which may be changed. */
export function writeRun(file: (name: string, bytes: Uint8Array | string) => string, changes: object = {}): string {
  for (const [name, rows, seed] of [
    ['train', 200, 1],
    ['test', 30, 2],
  ] as const) {
    const { images, labels } = pictures(rows, seed);
    file(`${name}-images`, images);
    file(`${name}-labels`, labels);
  }
  return file('run.json', JSON.stringify({ ...config, ...changes }));
}
