/**
 * Room: tests of optimizers. Update rules against the reference cases, on two kernel sets, whole and cut into blocks.
 */
import test from 'ava';
import { parseOptimizer } from '../../src/config/parse.ts';
import type { Kernels } from '../../src/kernels/contract.ts';
import { kernelScratchBytes } from '../../src/kernels/contract.ts';
import { createReferenceKernels } from '../../src/kernels/reference.ts';
import { compileWasmKernels, createWasmKernels } from '../../src/kernels/wasm.ts';
import { Arena } from '../../src/memory/arena.ts';
import { optimizers } from '../../src/optimizers/factories.ts';
import { slotsOf, updateRule } from '../../src/optimizers/rule.ts';
import { relativeError } from '../contracts/network.ts';
import { type OracleTensor, oracle } from '../fixtures/oracles.ts';

interface OptimizerCase {
  readonly optimizer: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly initial: OracleTensor;
  readonly gradients: readonly OracleTensor[];
  readonly weights: readonly OracleTensor[];
}

const cases = oracle<readonly OptimizerCase[]>('optimizers').filter(({ optimizer }) => optimizer in optimizers);
const module = compileWasmKernels();
const base = 64 + kernelScratchBytes;

/** Weights after each step of a rule, applied in pieces of `piece` parameters. */
function train(
  config: unknown,
  initial: readonly number[],
  gradients: readonly (readonly number[])[],
  set: 'reference' | 'wasm',
  piece = initial.length,
): Float32Array[] {
  const arena = Arena.create(base + 4096);
  const kernels: Kernels = set === 'reference' ? createReferenceKernels(arena) : createWasmKernels(module, arena, 64);
  const parsed = parseOptimizer(config);
  const rule = updateRule(parsed, ['layer/kernel']);
  const [w, g] = [base, base + 1024];
  const slots = slotsOf(parsed).map((_, i) => base + 2048 + 1024 * i);
  arena.f32.set(initial, w >>> 2);
  return gradients.map((gradient, step) => {
    arena.f32.set(gradient, g >>> 2);
    rule.prepare(step + 1);
    for (let start = 0; start < initial.length; start += piece) {
      rule.apply(kernels, 0, w + 4 * start, slots, 4 * start, g + 4 * start, Math.min(piece, initial.length - start), 1, Number.POSITIVE_INFINITY);
    }
    return new Float32Array(arena.f32.subarray(w >>> 2, (w >>> 2) + initial.length));
  });
}

test('the reference cases have sgd in three forms, adam, adamw, adagrad and rmsprop', (t) => {
  t.deepEqual(
    cases.map(({ optimizer }) => optimizer),
    ['sgd', 'sgd', 'sgd', 'adam', 'adamw', 'adagrad', 'rmsprop'],
  );
});

for (const { optimizer, config, initial, gradients, weights } of cases) {
  for (const set of ['reference', 'wasm'] as const) {
    test(`${optimizer} ${JSON.stringify(config)} follows the reference case on ${set}`, (t) => {
      const actual = train(
        { type: optimizer, ...config },
        initial.data,
        gradients.map(({ data }) => data),
        set,
      );
      for (const [step, { data }] of weights.entries()) {
        const error = relativeError(actual[step]!, data);
        t.true(error <= 2e-5, `step ${step + 1} is off by ${error}`);
      }
    });
  }

  test(`${optimizer} ${JSON.stringify(config)} gives the same bits in pieces`, (t) => {
    const steps = gradients.map(({ data }) => data);
    const run = { type: optimizer, ...config };
    const whole = train(run, initial.data, steps, 'wasm');
    for (const piece of [1, 4, 5]) t.deepEqual(train(run, initial.data, steps, 'wasm', piece), whole, `pieces of ${piece}`);
  });
}

test('a rule keeps no more vectors than it needs', (t) => {
  const slots = (config: unknown): readonly string[] => slotsOf(parseOptimizer(config));
  t.deepEqual(slots({ type: 'sgd' }), []);
  t.deepEqual(slots({ type: 'sgd', momentum: 0.9 }), ['momentum']);
  t.deepEqual(slots({ type: 'adam' }), ['m', 'v']);
  t.deepEqual(slots({ type: 'adamw' }), ['m', 'v']);
  t.deepEqual(slots({ type: 'rmsprop' }), ['velocity']);
  t.deepEqual(slots({ type: 'rmsprop', centered: true, momentum: 0.5 }), ['velocity', 'average_gradient', 'momentum']);
  t.deepEqual(slots({ type: 'lion', useEma: true }), ['momentum', 'average']);
});

test('weight decay is decoupled: it shrinks a weight without a gradient by learning rate x decay', (t) => {
  const [after] = train({ type: 'adamw', learningRate: 0.1, weightDecay: 0.5 }, [2, -4], [[0, 0]], 'wasm');
  t.deepEqual([...after!], [Math.fround(2 * 0.95), Math.fround(-4 * 0.95)]);
});

test('the first step of adam is the learning rate in the direction of the gradient, whatever its size', (t) => {
  const [after] = train({ type: 'adam', learningRate: 0.5 }, [0, 0, 0], [[1e-3, -1e3, 7]], 'wasm');
  for (const [i, sign] of [-1, 1, -1].entries()) t.true(Math.abs(after![i]! - sign * 0.5) < 1e-3, String(after![i]));
});

test('a rule tells its learning rate', (t) => {
  for (const make of Object.values(optimizers)) t.is(updateRule(parseOptimizer(make({ learningRate: 0.125 })), []).learningRate, 0.125);
});
