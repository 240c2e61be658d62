/**
 * Room: tests of optimizers. Every update rule over 12 steps against its formula as Keras 3 has it, worked out here in float64 with the
 * engine's own powers, on two kernel sets.
 */
import test from 'ava';
import type { OptimizerConfigInput } from '../../src/config/optimizers.ts';
import { parseOptimizer } from '../../src/config/parse.ts';
import { kernelScratchBytes } from '../../src/kernels/contract.ts';
import { createReferenceKernels } from '../../src/kernels/reference.ts';
import { compileWasmKernels, createWasmKernels } from '../../src/kernels/wasm.ts';
import { Arena } from '../../src/memory/arena.ts';
import type { Blocks } from '../../src/numerics/norm.ts';
import { formulaOf } from '../../src/optimizers/formulas.ts';
import { nadamMomentum } from '../../src/optimizers/nadam-momentum.ts';
import { slotsOf, updateRule } from '../../src/optimizers/rule.ts';
import { relativeError } from '../contracts/network.ts';
import { numbers } from '../toy.ts';

const count = 23;
const steps = 12;
const initial = numbers(count, 1);
/** Of many sizes, some 0. */
const gradients = Array.from({ length: steps }, (_, step) => numbers(count, 10 + step).map((g, i) => (i < step % 3 ? 0 : g * 2 ** ((i % 7) - 4))));

/** What one parameter remembers; nothing at first. */
type Memory = Partial<Record<'m' | 'v' | 'a' | 'd' | 'u', number>>;

/** One parameter's step: w, g and t from 1 to the new w. */
type Formula = (w: number, g: number, t: number, s: Memory) => number;

/** A rule that looks at the whole tensor: its weights decayed, and the step of each parameter at a learning rate of 1. */
type Step = (g: number, t: number, s: Memory) => number;

const { sqrt, abs, max, min, sign } = Math;
const mu = (t: number, beta1: number): number => beta1 * (1 - 0.5 * 0.96 ** t);
const muProduct = (t: number, beta1: number): number => Array.from({ length: t }, (_, i) => mu(i + 1, beta1)).reduce((product, x) => product * x, 1);

const recipes: readonly { readonly config: OptimizerConfigInput; readonly formula: Formula }[] = [
  { config: { type: 'sgd' }, formula: (w, g) => w - 0.01 * g },
  {
    config: { type: 'adam' },
    formula(w, g, t, s) {
      s.m = 0.9 * (s.m ?? 0) + 0.1 * g;
      s.v = 0.999 * (s.v ?? 0) + 0.001 * g * g;
      return w - (0.001 * s.m) / (1 - 0.9 ** t) / (sqrt(s.v / (1 - 0.999 ** t)) + 1e-7);
    },
  },
  {
    config: { type: 'adamw', learningRate: 0.01, weightDecay: 0.3 },
    formula(weight, g, t, s) {
      const w = weight - 0.01 * 0.3 * weight;
      s.m = 0.9 * (s.m ?? 0) + 0.1 * g;
      s.v = 0.999 * (s.v ?? 0) + 0.001 * g * g;
      return w - (0.01 * s.m) / (1 - 0.9 ** t) / (sqrt(s.v / (1 - 0.999 ** t)) + 1e-7);
    },
  },
  {
    config: { type: 'rmsprop' },
    formula(w, g, _, s) {
      s.v = 0.9 * (s.v ?? 0) + 0.1 * g * g;
      return w - (0.001 * g) / sqrt(s.v + 1e-7);
    },
  },
  {
    config: { type: 'rmsprop', learningRate: 0.01, rho: 0.8, momentum: 0.5, epsilon: 1e-3, centered: true },
    formula(w, g, _, s) {
      s.v = 0.8 * (s.v ?? 0) + 0.2 * g * g;
      s.a = 0.8 * (s.a ?? 0) + 0.2 * g;
      s.m = 0.5 * (s.m ?? 0) + (0.01 * g) / sqrt(s.v - s.a * s.a + 1e-3);
      return w - s.m;
    },
  },
  {
    config: { type: 'adagrad', learningRate: 0.05 },
    formula(w, g, _, s) {
      s.a = (s.a ?? 0.1) + g * g;
      return w - (0.05 * g) / sqrt(s.a + 1e-7);
    },
  },
  {
    config: { type: 'adadelta', learningRate: 1 },
    formula(w, g, _, s) {
      s.a = 0.95 * (s.a ?? 0) + 0.05 * g * g;
      const delta = (sqrt((s.d ?? 0) + 1e-7) * g) / sqrt(s.a + 1e-7);
      s.d = 0.95 * (s.d ?? 0) + 0.05 * delta * delta;
      return w - delta;
    },
  },
  {
    config: { type: 'adamax' },
    formula(w, g, t, s) {
      s.m = 0.9 * (s.m ?? 0) + 0.1 * g;
      s.u = max(0.999 * (s.u ?? 0), abs(g));
      return w - (0.001 * s.m) / ((1 - 0.9 ** t) * (s.u + 1e-7));
    },
  },
  {
    config: { type: 'nadam', learningRate: 0.01, beta1: 0.85 },
    formula(w, g, t, s) {
      s.m = 0.85 * (s.m ?? 0) + 0.15 * g;
      s.v = 0.999 * (s.v ?? 0) + 0.001 * g * g;
      const ahead = (mu(t + 1, 0.85) * s.m) / (1 - muProduct(t + 1, 0.85)) + ((1 - mu(t, 0.85)) * g) / (1 - muProduct(t, 0.85));
      return w - (0.01 * ahead) / (sqrt(s.v / (1 - 0.999 ** t)) + 1e-7);
    },
  },
  {
    config: { type: 'lion', learningRate: 0.01 },
    formula(w, g, _, s) {
      const direction = 0.9 * (s.m ?? 0) + 0.1 * g;
      s.m = 0.99 * (s.m ?? 0) + 0.01 * g;
      return w - 0.01 * sign(direction);
    },
  },
  {
    config: { type: 'lion', learningRate: 0.01, beta1: 0.8, weightDecay: 0.5 },
    formula(w, g, _, s) {
      const direction = 0.8 * (s.m ?? 0) + 0.2 * g;
      s.m = 0.99 * (s.m ?? 0) + 0.01 * g;
      return w - 0.01 * 0.5 * w - 0.01 * sign(direction);
    },
  },
];

/** |w| / |step|, or 1. */
function ratioOf(weights: readonly number[], steps: readonly number[]): number {
  const norm = (numbers: readonly number[]): number => sqrt(numbers.reduce((sum, x) => sum + x * x, 0));
  return norm(weights) > 0 && norm(steps) > 0 ? norm(weights) / norm(steps) : 1;
}

const adamStep: Step = (g, t, s) => {
  s.m = 0.9 * (s.m ?? 0) + 0.1 * g;
  s.v = 0.999 * (s.v ?? 0) + 0.001 * g * g;
  return s.m / (1 - 0.9 ** t) / (sqrt(s.v / (1 - 0.999 ** t)) + 1e-7);
};

/** Rules of whole tensors: all parameters' new values. */
const tensorRecipes: readonly {
  readonly config: OptimizerConfigInput;
  readonly formula: (w: readonly number[], g: readonly number[], t: number, s: readonly Memory[]) => number[];
}[] = [
  {
    config: { type: 'lamb', learningRate: 0.01 },
    formula(w, g, t, s) {
      const step = g.map((x, i) => adamStep(x, t, s[i]!));
      const ratio = ratioOf(w, step);
      return w.map((x, i) => x - 0.01 * ratio * step[i]!);
    },
  },
  {
    config: { type: 'lamb', learningRate: 0.01, weightDecay: 2, learningRateFactors: { '*': 0.5 }, clipvalue: 0.25 },
    formula(weights, g, t, s) {
      const w = weights.map((x) => x - 0.005 * 2 * x);
      const step = g.map((x, i) => adamStep(max(min(x, 0.25), -0.25), t, s[i]!));
      const ratio = ratioOf(w, step);
      return w.map((x, i) => x - 0.005 * ratio * step[i]!);
    },
  },
  {
    config: { type: 'lars', learningRate: 3 },
    formula(w, g, _, s) {
      const ratio = 0.001 * ratioOf(w, g);
      return w.map((x, i) => {
        s[i]!.v = 0.9 * (s[i]!.v ?? 0) - 3 * ratio * g[i]!;
        return x + s[i]!.v!;
      });
    },
  },
  {
    config: { type: 'lars', momentum: 0, trustCoefficient: 0.02, clipvalue: 0.25 },
    formula(w, gradient) {
      const g = gradient.map((x) => max(min(x, 0.25), -0.25));
      return w.map((x, i) => x - 0.02 * ratioOf(w, g) * g[i]!);
    },
  },
];

const module = compileWasmKernels();
const base = 64 + kernelScratchBytes;

for (const { config, formula } of recipes) {
  for (const set of ['reference', 'wasm'] as const) {
    test(`${JSON.stringify(config)} follows its formula over ${steps} steps on ${set}`, (t) => {
      const arena = Arena.create(base + 8192);
      const kernels = set === 'reference' ? createReferenceKernels(arena) : createWasmKernels(module, arena, 64);
      const parsed = parseOptimizer(config);
      const rule = updateRule(parsed, ['layer/kernel']);
      const slots = slotsOf(parsed).map((_, i) => base + 2048 + 1024 * i);
      arena.f32.set(initial, base >>> 2);
      const memories = Array.from(initial, (): Memory => ({}));
      let expected = Array.from(initial);
      for (const [step, gradient] of gradients.entries()) {
        arena.f32.set(gradient, (base + 1024) >>> 2);
        rule.prepare(step + 1);
        rule.apply(kernels, 0, base, slots, 0, base + 1024, count, 1, Number.POSITIVE_INFINITY);
        expected = expected.map((w, i) => formula(w, gradient[i]!, step + 1, memories[i]!));
        const error = relativeError(arena.f32.subarray(base >>> 2, (base >>> 2) + count), expected);
        t.true(error < 2e-6, `step ${step + 1} is off by ${error}`);
      }
    });
  }
}

/** The tensor in two blocks. */
const blocks: Blocks = { count: 2, tensor: Int32Array.of(0, 0), start: Int32Array.of(0, 9), length: Int32Array.of(9, count - 9) };

for (const { config, formula } of tensorRecipes) {
  for (const set of ['reference', 'wasm'] as const) {
    test(`${JSON.stringify(config)} follows its formula over ${steps} steps, in two blocks, on ${set}`, (t) => {
      const arena = Arena.create(base + 8192);
      const kernels = set === 'reference' ? createReferenceKernels(arena) : createWasmKernels(module, arena, 64);
      const parsed = parseOptimizer(config);
      const rule = updateRule(parsed, ['layer/kernel']);
      const slots = slotsOf(parsed).map((_, i) => base + 2048 + 1024 * i);
      const [g, sums] = [base + 1024, base + 6144];
      const limit = parsed.clipvalue ?? Number.POSITIVE_INFINITY;
      arena.f32.set(initial, base >>> 2);
      const memories = Array.from(initial, (): Memory => ({}));
      let expected = Array.from(initial);
      for (const [step, gradient] of gradients.entries()) {
        arena.f32.set(gradient, g >>> 2);
        rule.prepare(step + 1);
        blocks.length.forEach((length, block) => {
          const offset = 4 * blocks.start[block]!;
          rule.norms!.measure(kernels, base + offset, slots, offset, g + offset, length, 1, limit, sums + 16 * block);
        });
        rule.norms!.settle(blocks, arena.f64, sums >>> 3);
        blocks.length.forEach((length, block) => {
          const offset = 4 * blocks.start[block]!;
          rule.apply(kernels, 0, base + offset, slots, offset, g + offset, length, 1, limit);
        });
        expected = formula(expected, Array.from(gradient), step + 1, memories);
        const error = relativeError(arena.f32.subarray(base >>> 2, (base >>> 2) + count), expected);
        t.true(error < 2e-6, `step ${step + 1} is off by ${error}`);
      }
    });
  }
}

test('a tensor of zeros, or without a gradient, is updated as if there were no norms', (t) => {
  for (const type of ['lars', 'lamb'] as const) {
    const formula = formulaOf(parseOptimizer({ type }));
    t.is(formula.trust!.ratio(0, 1), 1);
    t.is(formula.trust!.ratio(1, 0), 1);
  }
});

test("Nadam's product of momenta has the same bits from wherever it is reached", (t) => {
  const steady = nadamMomentum(0.9);
  for (let update = 1; update <= 300; update++) {
    steady.advance(update);
    const fresh = nadamMomentum(0.9);
    fresh.advance(update);
    t.deepEqual({ ...fresh, advance: 0 }, { ...steady, advance: 0 });
  }
  const back = nadamMomentum(0.9);
  back.advance(300);
  back.advance(17);
  const fresh = nadamMomentum(0.9);
  fresh.advance(17);
  t.is(back.product, fresh.product);
  t.true(Math.abs(fresh.product / muProduct(17, 0.9) - 1) < 1e-14);
  t.true(Math.abs(fresh.next / mu(18, 0.9) - 1) < 1e-14);
});
