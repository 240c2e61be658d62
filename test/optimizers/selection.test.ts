/**
 * Room: tests of optimizers. Which weights a pattern is about, and what is said of patterns about none.
 */
import test from 'ava';
import { adaptivelyClipped, checkPatterns, rateFactors, weightDecays } from '../../src/optimizers/selection.ts';
import { refusal } from '../data/folder.ts';

const names = ['dense/kernel', 'dense/bias', 'batch_normalization/gamma', 'batch_normalization/beta', 'dense_1/kernel', 'dense_1/bias', 'a.b/kernel'];
const about = (pattern: string): string[] => {
  const factors = rateFactors({ learningRateFactors: { [pattern]: 0 } }, names);
  return names.filter((_, i) => factors[i] === 0);
};

test('a pattern is about weights by name, by the name of their layer, and with * for any characters', (t) => {
  t.deepEqual(about('dense/bias'), ['dense/bias']);
  t.deepEqual(about('dense'), ['dense/kernel', 'dense/bias']);
  t.deepEqual(about('dense*'), ['dense/kernel', 'dense/bias', 'dense_1/kernel', 'dense_1/bias']);
  t.deepEqual(about('*/bias'), ['dense/bias', 'dense_1/bias']);
  t.deepEqual(about('*bias'), ['dense/bias', 'dense_1/bias']);
  t.deepEqual(about('dense_?/kernel'), []);
  t.deepEqual(about('a.b'), ['a.b/kernel']);
  t.deepEqual(about('a?b'), []);
  t.deepEqual(about('*_*a'), ['batch_normalization/gamma', 'batch_normalization/beta']);
  t.deepEqual(about('kernel'), []);
  t.deepEqual(about('*'), names);
});

test('factors of several patterns are multiplied, in any order of the patterns', (t) => {
  const factors = { '*/kernel': 0.5, dense: 0.1, '*': 3 };
  const expected = [3 * 0.5 * 0.1, 3 * 0.1, 3, 3, 3 * 0.5, 3, 3 * 0.5];
  t.deepEqual([...rateFactors({ learningRateFactors: factors }, names)], expected);
  t.deepEqual([...rateFactors({ learningRateFactors: Object.fromEntries(Object.entries(factors).toReversed()) }, names)], expected);
  t.deepEqual([...rateFactors({}, names)], [1, 1, 1, 1, 1, 1, 1]);
});

test('weights decay unless they are excluded', (t) => {
  t.deepEqual([...weightDecays({ weightDecay: 0.5, excludeFromWeightDecay: ['*/bias', 'batch*'] }, names)], [0.5, 0, 0, 0, 0.5, 0, 0.5]);
  t.deepEqual([...weightDecays({ weightDecay: 0.5 }, names)], [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]);
  t.deepEqual([...weightDecays({}, names)], [0, 0, 0, 0, 0, 0, 0]);
});

test('weights are clipped adaptively unless they are excluded', (t) => {
  t.deepEqual(adaptivelyClipped({ excludeFromAdaptiveClip: ['*/bias', 'batch*'] }, names), [true, false, false, false, true, false, true]);
  t.deepEqual(adaptivelyClipped({}, names), [true, true, true, true, true, true, true]);
});

test('patterns about no weight are named', (t) => {
  t.notThrows(() => checkPatterns({ excludeFromWeightDecay: ['*/bias'], learningRateFactors: { dense_1: 0 } }, names));
  t.is(
    refusal('LOCKSTEP_CONFIG', () => checkPatterns({ excludeFromWeightDecay: ['*/bias', '*/bais'], learningRateFactors: { dens: 0 } }, names.slice(0, 2))),
    'Expected every pattern to fit a weight that is trained, got `*/bais` of `optimizer.excludeFromWeightDecay`, `dens` of `optimizer.learningRateFactors`, which fit none of `dense/kernel`, `dense/bias`; correct or remove them.',
  );
  t.regex(
    refusal('LOCKSTEP_CONFIG', () => checkPatterns({ learningRateFactors: { x: 1 } }, [...names, 'c/d', 'e/f'])),
    /got `x` of `optimizer\.learningRateFactors`, which fits none of .* and 1 more; correct or remove it\.$/,
  );
});
