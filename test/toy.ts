/**
 * Room: tests of whole runs. Data made by a fixed rule, small enough that a run of it takes a tenth of a second, and a run
 * told as plain values that two runs can be compared by.
 */
import type { ArrayData } from '../src/data/arrays.ts';
import { loadBlas } from '../src/kernels/blas.ts';
import { type Run, type TrainOptions, train } from '../src/local/train.ts';
import type { EpochEvent, StepEvent } from '../src/telemetry/events.ts';

const blas = loadBlas();

/** The kernel sets of this machine, and for each that it lacks a title that says so. */
export const kernelSets: readonly ('wasm' | 'blas')[] = blas.ok ? ['wasm', 'blas'] : ['wasm'];
export const missingSets: readonly string[] = blas.ok ? [] : [`blas is not tested: ${blas.reason}`];

/** `count` numbers of [-1, 1), the same for the same seed. */
export function numbers(count: number, seed: number): Float32Array {
  const values = new Float32Array(count);
  let state = Math.imul(seed, 2654435761) >>> 0 || 1;
  for (let i = 0; i < count; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    values[i] = (state | 0) / 2 ** 31;
  }
  return values;
}

/** Rows of `shape` with a class each: which of the first `classes` numbers of the row is the largest. */
export function classified(rows: number, shape: readonly number[], classes: number, seed = 1): ArrayData {
  const size = shape.reduce((product, dimension) => product * dimension, 1);
  const x = numbers(rows * size, seed);
  const y = new Int32Array(rows);
  for (let row = 0; row < rows; row++) {
    const scores = x.subarray(row * size, row * size + classes);
    y[row] = scores.indexOf(Math.max(...scores));
  }
  return { x, y, inputShape: shape };
}

/** Points of a square; the class says whether the two coordinates have different signs. No line separates the classes. */
export function exclusiveOr(rows: number, seed = 1): ArrayData {
  const x = numbers(2 * rows, seed);
  const y = Int32Array.from({ length: rows }, (_, row) => (x[2 * row]! > 0 === x[2 * row + 1]! > 0 ? 0 : 1));
  return { x, y, inputShape: [2] };
}

/** Everything of a run that must have the same bits. */
export interface Trace {
  readonly weightsSha256: string;
  readonly steps: readonly Omit<StepEvent, 'seconds'>[];
  readonly epochs: readonly EpochEvent[];
  readonly history: Run['history'];
}

/** Trains and tells what happened, without the times. */
export async function trace(options: TrainOptions): Promise<Trace> {
  const steps: Omit<StepEvent, 'seconds'>[] = [];
  const epochs: EpochEvent[] = [];
  const { weightsSha256, history } = await train({
    ...options,
    onStep: ({ seconds, ...event }) => steps.push(event),
    onEpoch: (event) => epochs.push(event),
  });
  return { weightsSha256, steps, epochs, history };
}

/** `work`, or a rejection that says what took longer than `ms`: a test that hangs fails with its reason. */
export async function within<T>(ms: number, what: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Expected ${what} within ${ms} ms.`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** How many worker threads the process has, busy or idle. Only when none of them blocks: each is asked for itself. */
export function threads(): number {
  const { workers } = process.report.getReport() as { workers: readonly object[] };
  return workers.length;
}
