/**
 * Room: tests of train. Steps leave nothing behind on the heap: a threshold that is looked up among the norms of steps before.
 */
import test from 'ava';
import { staysSteady } from './steady.ts';

test('steps whose threshold is a percentile make no garbage but clock readings', (t) => {
  staysSteady(t, 'wasm', { type: 'sgd', learningRate: 1e-6, clipPercentile: 10, clipHistory: 50 });
});
