/**
 * Room: tests of train. Steps leave nothing behind on the heap: Adam with a schedule, decay, factors and an average.
 */
import test from 'ava';
import { staysSteady } from './steady.ts';

test('steps with a schedule, decay, factors and an average make no garbage but clock readings', (t) => {
  const learningRate = { type: 'cosineDecay', initialLearningRate: 0.001, decaySteps: 2000, warmupSteps: 10 } as const;
  staysSteady(t, 'wasm', { type: 'adam', learningRate, weightDecay: 0.01, learningRateFactors: { 'dense*': 0.5 }, useEma: true });
});
