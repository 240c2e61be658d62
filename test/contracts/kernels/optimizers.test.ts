/**
 * Room: tests of kernels. The optimizers' updates: every set against the reference, bit for bit, over several steps.
 */
import test from 'ava';
import { agree, floats } from './agree.ts';

const counts = [0, 1, 2, 3, 4, 5, 7, 8, 31, 1000, 4097];
const limits = [Infinity, 0.5];
const gradScale = 0.7;

/** Values with the cases that order of operations and clamping could confuse. */
function gradients(count: number): Float32Array {
  const g = floats(count, 0, 2);
  g.set([0, -0, 1e-30, -1e30, Infinity, -Infinity, 1e-42].slice(0, count));
  return g;
}

for (const count of counts) {
  for (const gradLimit of limits) {
    const g = gradients(count);
    const w = floats(count);

    test(`sgd of ${count} parameters agrees with limit ${gradLimit}`, (t) => {
      agree(t, 'without momentum', { w, g }, (k, at) => k.sgd(at.w, 0, at.g, count, gradScale, gradLimit, 0.01, 0, 0));
      for (const nesterov of [0, 1] as const) {
        agree(t, `momentum, nesterov ${nesterov}`, { w, v: floats(count), g }, (k, at) => {
          for (let step = 0; step < 3; step++) k.sgd(at.w, at.v, at.g, count, gradScale, gradLimit, 0.01, 0.9, nesterov);
        });
      }
    });

    test(`adam of ${count} parameters agrees with limit ${gradLimit}, with and without decay`, (t) => {
      for (const decay of [0, 0.004]) {
        agree(t, `decay ${decay}`, { w, m: new Float32Array(count), v: new Float32Array(count), g }, (k, at) => {
          for (let step = 1; step <= 3; step++) {
            k.adam(at.w, at.m, at.v, at.g, count, gradScale, gradLimit, 0.001, 0.9, 0.999, 1 - 0.9 ** step, 1 - 0.999 ** step, 1e-7, decay);
          }
        });
      }
    });
  }
}

test('a gradient that is not a number stays one through the clamp', (t) => {
  const [w, v, g] = [floats(9), floats(9), new Float32Array(9).fill(NaN)];
  agree(t, 'sgd', { w, v, g }, (k, at) => k.sgd(at.w, at.v, at.g, 9, 1, 0.5, 0.01, 0.9, 0));
  agree(t, 'adam', { w, v, m: floats(9), g }, (k, at) => k.adam(at.w, at.m, at.v, at.g, 9, 1, 0.5, 0.01, 0.9, 0.999, 0.1, 0.001, 1e-7, 0));
});

test('the first step of adam moves each parameter by the learning rate against its gradient', (t) => {
  const g = Float32Array.from([3, -0.02, 500, -7, 1]);
  agree(t, 'first step', { w: new Float32Array(5), m: new Float32Array(5), v: new Float32Array(5), g }, (k, at) => {
    k.adam(at.w, at.m, at.v, at.g, 5, 1, Infinity, 0.001, 0.9, 0.999, 1 - 0.9, 1 - 0.999, 1e-7, 0);
  });
});
