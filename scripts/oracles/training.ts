/**
 * Room: scripts (level 8). Reference cases of what makes a step: losses, clipping, optimizers. They run through the rooms that
 * a rank runs, over an arena of their own.
 */
import { z } from 'zod';
import { parseOptimizer } from '../../src/config/parse.ts';
import { type Kernels, kernelScratchBytes } from '../../src/kernels/contract.ts';
import { openKernels, selectKernels } from '../../src/kernels/select.ts';
import { type LossSpec, lossOf } from '../../src/losses/loss.ts';
import { type Address, Arena } from '../../src/memory/arena.ts';
import { MemoryPlan } from '../../src/memory/plan.ts';
import { cutBlocks } from '../../src/numerics/norm.ts';
import { type ClipConfig, clip, clipOutcome } from '../../src/optimizers/clip.ts';
import { optimizers } from '../../src/optimizers/factories.ts';
import { slotsOf, updateRule } from '../../src/optimizers/rule.ts';
import { type Check, relativeError, tolerance } from './compare.ts';
import type { Setting } from './layers.ts';

const tensor = z.object({ shape: z.array(z.int()), data: z.array(z.number()) });

/** An arena with kernels, filled from its start. */
class Bench {
  readonly arena = Arena.create(2 ** 23);
  readonly kernels: Kernels;
  readonly #plan = new MemoryPlan();

  constructor(set: Setting['kernels']) {
    this.kernels = openKernels(selectKernels(set), this.arena, this.#plan.reserve('scratch', kernelScratchBytes));
  }

  put(numbers: readonly number[]): Address {
    const address = this.room(numbers.length);
    this.arena.f32.set(numbers, address >>> 2);
    return address;
  }

  room(length: number): Address {
    return this.#plan.reserve('data', 8 * length);
  }

  take(address: Address, length: number): Float32Array {
    return this.arena.f32.slice(address >>> 2, (address >>> 2) + length);
  }
}

const classLoss = z.strictObject({
  loss: z.literal('sparseCategoricalCrossentropy'),
  fromLogits: z.literal(true),
  logits: tensor,
  labels: z.array(z.int()),
  value: z.number(),
  dlogits: tensor,
});
const binaryLoss = classLoss.extend({ loss: z.literal('binaryCrossentropy') });
const targetLossNames = ['meanSquaredError', 'meanAbsoluteError', 'huber'] as const;
const targetLoss = z.strictObject({ loss: z.enum(targetLossNames), predictions: tensor, targets: tensor, value: z.number(), dpredictions: tensor });

/** Undefined for a loss that Lockstep does not have. */
export function losses(value: unknown, { kernels: set }: Setting): Check[] | undefined {
  const bench = new Bench(set);
  const run = (spec: LossSpec, predictions: z.output<typeof tensor>, labels: Address, expected: number, gradient: z.output<typeof tensor>): Check[] => {
    const [rows, columns] = predictions.shape as [number, number];
    const p = bench.put(predictions.data);
    const dp = bench.room(rows * columns);
    const sums = bench.room(2);
    lossOf(spec).run(bench.kernels, bench.arena, p, labels, dp, rows, columns, rows, sums);
    const name = typeof spec === 'string' ? spec : spec.type;
    return [
      { name: `${name} value`, error: relativeError([expected], [bench.arena.f64[sums >>> 3]! / rows]), tolerance: tolerance.layer },
      { name: `${name} gradient`, error: relativeError(gradient.data, bench.take(dp, rows * columns)), tolerance: tolerance.layer },
    ];
  };
  const classes = classLoss.safeParse(value);
  if (classes.success) {
    const { logits, labels, value: expected, dlogits } = classes.data;
    const at = bench.room(labels.length);
    bench.arena.i32.set(labels, at >>> 2);
    return run({ type: 'sparseCategoricalCrossentropy', fromLogits: true }, logits, at, expected, dlogits);
  }
  const binary = binaryLoss.safeParse(value);
  if (binary.success) {
    const { logits, labels, value: expected, dlogits } = binary.data;
    return run({ type: 'binaryCrossentropy', fromLogits: true, labelSmoothing: 0 }, logits, bench.put(labels), expected, dlogits);
  }
  const targets = targetLoss.safeParse(value);
  if (!targets.success) return undefined;
  const { loss, predictions, targets: t, value: expected, dpredictions } = targets.data;
  return run(loss, predictions, bench.put(t.data), expected, dpredictions);
}

const clippingCase = z.strictObject({
  book: z.strictObject({ gradient: z.array(z.number()), clipvalue: z.number(), byValue: z.array(z.number()), clipnorm: z.number(), byNorm: z.array(z.number()) }),
  gradients: z.array(tensor),
  globalNorm: z.number(),
  globalClipnorm: z.number(),
  byGlobalNorm: z.array(tensor),
  clipnorm: z.number(),
  byTensorNorm: z.array(tensor),
  clipvalue: z.number(),
  byValue: z.array(tensor),
  note: z.string(),
});

export function clipping(value: unknown, { kernels: set }: Setting): Check[] {
  const { book, gradients, globalNorm, globalClipnorm, byGlobalNorm, clipnorm, byTensorNorm, clipvalue, byValue } = clippingCase.parse(value);
  const all = (tensors: readonly { readonly data: readonly number[] }[]): number[] => tensors.flatMap(({ data }) => data);
  const own = gradients.map(({ data }) => data);
  const checkOf = (name: string, expected: readonly number[], received: ArrayLike<number>): Check => ({
    name: `clipping ${name}`,
    error: relativeError(expected, received),
    tolerance: tolerance.layer,
  });
  return [
    checkOf('book by value', book.byValue, clipped(set, [book.gradient], { clipvalue: book.clipvalue }).gradient),
    checkOf('book by norm', book.byNorm, clipped(set, [book.gradient], { clipnorm: book.clipnorm }).gradient),
    checkOf('global norm', [globalNorm], [clipped(set, own, {}).norm]),
    checkOf('by global norm', all(byGlobalNorm), clipped(set, own, { globalClipnorm }).gradient),
    checkOf('by tensor norm', all(byTensorNorm), clipped(set, own, { clipnorm }).gradient),
    checkOf('by value', all(byValue), clipped(set, own, { clipvalue }).gradient),
  ];
}

/** What is left of the tensors' gradients, read from an SGD step of length 1 from 0: w = -g'. */
function clipped(set: Setting['kernels'], tensors: readonly (readonly number[])[], config: ClipConfig): { norm: number; gradient: number[] } {
  const { arena, kernels, ...bench } = ((b: Bench) => ({ arena: b.arena, kernels: b.kernels, put: b.put.bind(b), room: b.room.bind(b), take: b.take.bind(b) }))(
    new Bench(set),
  );
  const blocks = cutBlocks(tensors.map((data) => data.length));
  const places = tensors.map((data) => bench.put(data));
  const sums = bench.room(blocks.count);
  for (let block = 0; block < blocks.count; block++)
    kernels.squareSum(places[blocks.tensor[block]!]! + 4 * blocks.start[block]!, blocks.length[block]!, sums + 8 * block);
  const outcome = clipOutcome(config, tensors.length);
  clip(outcome, config, blocks, arena.f64, sums >>> 3);
  const gradient = tensors.flatMap((data, t) => {
    const w = bench.room(data.length);
    kernels.sgd(w, 0, places[t]!, data.length, outcome.tensorScale[t]!, outcome.limit, 1, 0, 0);
    return Array.from(bench.take(w, data.length), (number) => -number);
  });
  return { norm: outcome.gradNorm, gradient };
}

const optimizerCase = z.strictObject({
  optimizer: z.string(),
  config: z.record(z.string(), z.union([z.number(), z.boolean()])),
  initial: tensor,
  gradients: z.array(tensor),
  weights: z.array(tensor),
  by: z.string().optional(),
});

/** Undefined for an optimizer that Lockstep does not have. */
export function optimizerSteps(value: unknown, { kernels: set }: Setting): Check[] | undefined {
  const { optimizer, config, initial, gradients, weights } = optimizerCase.parse(value);
  if (!Object.hasOwn(optimizers, optimizer)) return undefined;
  const bench = new Bench(set);
  const parsed = parseOptimizer({ type: optimizer, ...config });
  const rule = updateRule(parsed, ['w']);
  const count = initial.data.length;
  const w = bench.put(initial.data);
  const slots = slotsOf(parsed).map(() => bench.room(count));
  let error = 0;
  gradients.forEach(({ data }, step) => {
    rule.prepare(step + 1);
    rule.apply(bench.kernels, 0, w, slots, 0, bench.put(data), count, 1, Number.POSITIVE_INFINITY);
    error = Math.max(error, relativeError(weights[step]!.data, bench.take(w, count)));
  });
  return [{ name: `${optimizer} ${JSON.stringify(config)}, ${gradients.length} steps`, error, tolerance: tolerance.layer }];
}
