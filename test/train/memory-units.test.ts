/**
 * Room: tests of train. Steps leave nothing behind on the heap: gradients that are clipped unit by unit, for which ranks meet once more.
 */
import test from 'ava';
import { staysSteady } from './steady.ts';

test('steps whose gradients are clipped unit by unit make no garbage but clock readings', (t) => {
  staysSteady(t, 'wasm', { type: 'sgd', learningRate: 1e-6, adaptiveClip: 0.001 }, 1);
});
