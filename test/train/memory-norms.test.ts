/**
 * Room: tests of train. Steps leave nothing behind on the heap: LAMB, whose ranks meet once more.
 */
import test from 'ava';
import { staysSteady } from './steady.ts';

test('steps of LAMB make no garbage but clock readings', (t) => {
  staysSteady(t, 'wasm', { type: 'lamb', learningRate: 1e-6 }, 1);
});
