/**
 * Room: tests of kernels. The optimizers' updates: every set against the reference, bit for bit, over several steps.
 */
import test from 'ava';
import { agree, floats, zeros } from './agree.ts';
import { floatsAt } from './sets.ts';

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

    test(`adam of ${count} parameters agrees with limit ${gradLimit}`, (t) => {
      agree(t, 'adam', { w, m: zeros(count), v: zeros(count), g }, (k, at) => {
        for (let step = 1; step <= 3; step++) {
          k.adam(at.w, at.m, at.v, at.g, count, gradScale, gradLimit, 0.001, 0.9, 0.999, 1 - 0.9 ** step, 1 - 0.999 ** step, 1e-7);
        }
      });
    });

    test(`rmsprop of ${count} parameters agrees with limit ${gradLimit}, centred or not, with and without momentum, and as adagrad`, (t) => {
      for (const momentum of [0, 0.5]) {
        agree(t, `plain, momentum ${momentum}`, { w, v: zeros(count), m: zeros(count), g }, (k, at) => {
          for (let step = 0; step < 3; step++) k.rmsprop(at.w, at.v, 0, at.m, at.g, count, gradScale, gradLimit, 0.001, 0.9, 1 - 0.9, momentum, 1e-7);
        });
        agree(t, `centred, momentum ${momentum}`, { w, v: zeros(count), a: zeros(count), m: zeros(count), g }, (k, at) => {
          for (let step = 0; step < 3; step++) k.rmsprop(at.w, at.v, at.a, at.m, at.g, count, gradScale, gradLimit, 0.001, 0.9, 1 - 0.9, momentum, 1e-7);
        });
      }
      agree(t, 'adagrad', { w, v: zeros(count), g }, (k, at) => {
        for (let step = 0; step < 3; step++) k.rmsprop(at.w, at.v, 0, 0, at.g, count, gradScale, gradLimit, 0.1, 1, 1, 0, 0.1);
      });
    });

    test(`adadelta, adamax, nadam, lion and square sums of ${count} parameters agree with limit ${gradLimit}`, (t) => {
      const [a, b] = [zeros(count), zeros(count)];
      agree(t, 'adadelta', { w, a, b, g }, (k, at) => {
        for (let step = 0; step < 3; step++) k.adadelta(at.w, at.a, at.b, at.g, count, gradScale, gradLimit, 0.1, 0.95, 1e-7);
      });
      agree(t, 'adamax', { w, a, b, g }, (k, at) => {
        for (let step = 0; step < 3; step++) k.adamax(at.w, at.a, at.b, at.g, count, gradScale, gradLimit, 0.01, 0.9, 0.999, 1e-7);
      });
      agree(t, 'nadam', { w, a, b, g }, (k, at) => {
        for (let step = 1; step <= 3; step++) k.nadam(at.w, at.a, at.b, at.g, count, gradScale, gradLimit, 0.001, 0.9, 0.999, 0.8, 0.3, 1 - 0.999 ** step, 1e-7);
      });
      const out = new Float64Array(1);
      agree(t, 'squares of the gradient', { g, out }, (k, at) => k.gradientSquares(at.g, count, gradScale, gradLimit, at.out));
      agree(t, "squares of adam's step", { m: floats(count), v: floats(count, 1), g, out }, (k, at) => {
        k.adamSquares(at.m, at.v, at.g, count, gradScale, gradLimit, 0.9, 0.999, 0.1, 0.001, 1e-7, at.out);
      });
      agree(t, 'lion', { w, a, g }, (k, at) => {
        for (let step = 0; step < 3; step++) k.lion(at.w, at.a, at.g, count, gradScale, gradLimit, 0.001, 0.9, 0.99);
      });
    });
  }
}

for (const count of counts) {
  test(`decay and moving average of ${count} numbers agree`, (t) => {
    agree(t, 'decay', { w: floats(count) }, (k, at) => k.decay(at.w, count, 0.004));
    for (const keep of [0, 0.99, 1])
      agree(t, `average, keep ${keep}`, { average: floats(count), x: floats(count) }, (k, at) => k.movingAverage(at.average, at.x, count, keep));
  });
}

test('a gradient that is not a number stays one through the clamp', (t) => {
  const [w, v, g] = [floats(9), floats(9), new Float32Array(9).fill(NaN)];
  agree(t, 'sgd', { w, v, g }, (k, at) => k.sgd(at.w, at.v, at.g, 9, 1, 0.5, 0.01, 0.9, 0));
  agree(t, 'adam', { w, v, m: floats(9), g }, (k, at) => k.adam(at.w, at.m, at.v, at.g, 9, 1, 0.5, 0.01, 0.9, 0.999, 0.1, 0.001, 1e-7));
  agree(t, 'rmsprop', { w, v, a: floats(9), m: floats(9), g }, (k, at) => k.rmsprop(at.w, at.v, at.a, at.m, at.g, 9, 1, 0.5, 0.01, 0.9, 0.1, 0.9, 1e-7));
  agree(t, 'adamax', { w, v, m: floats(9), g }, (k, at) => k.adamax(at.w, at.m, at.v, at.g, 9, 1, 0.5, 0.01, 0.9, 0.999, 1e-7));
  agree(t, 'lion', { w, v, g }, (k, at) => k.lion(at.w, at.v, at.g, 9, 1, 0.5, 0.01, 0.9, 0.99));
});

test('the first step of adam moves each parameter by the learning rate against its gradient', (t) => {
  const g = Float32Array.from([3, -0.02, 500, -7, 1]);
  agree(t, 'first step', { w: new Float32Array(5), m: new Float32Array(5), v: new Float32Array(5), g }, (k, at) => {
    k.adam(at.w, at.m, at.v, at.g, 5, 1, Infinity, 0.001, 0.9, 0.999, 1 - 0.9, 1 - 0.999, 1e-7);
  });
});

test('lion moves no parameter whose direction is 0', (t) => {
  const g = Float32Array.from([0, -0, 3, -2, 1e-42]);
  agree(t, 'first step', { w: new Float32Array(5).fill(1), m: new Float32Array(5), g }, (k, at) => {
    k.lion(at.w, at.m, at.g, 5, 1, Infinity, 0.25, 0.5, 0.99);
    t.deepEqual([...floatsAt(at.w, 5)], [1, 1, 0.75, 1.25, 0.75]);
  });
});
