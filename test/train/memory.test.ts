/**
 * Room: tests of train. Steps leave nothing behind on the heap: SGD, on every kernel set.
 */
import test from 'ava';
import { staysSteady } from './steady.ts';

for (const set of ['wasm', 'auto'] as const) {
  test.serial(`${set}: steps keep nothing and make no garbage but clock readings`, (t) => {
    staysSteady(t, set, { type: 'sgd', learningRate: 0.01, momentum: 0.9, globalClipnorm: 1 });
  });
}
