import test from 'ava';
import fc from 'fast-check';
import { integerIn, nearest, nonNegativeInteger, oneOf, positiveInteger, shape, show } from '../src/check.ts';
import { LockstepError } from '../src/errors.ts';

function messageOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof LockstepError && error.code === 'LOCKSTEP_USAGE') return error.message;
    throw error;
  }
  return 'accepted';
}

test('a check returns the value it accepts', (t) => {
  t.is(positiveInteger('workers', 1), 1);
  t.is(nonNegativeInteger('seed', 0), 0);
  t.is(integerIn('port', 65_535, 0, 65_535), 65_535);
  t.deepEqual(shape('inputShape', [28, 28]), [28, 28]);
  t.is(oneOf('kernels', 'wasm', ['auto', 'wasm', 'blas']), 'wasm');
});

test('a refusal says the rule and what was received', (t) => {
  t.is(
    messageOf(() => positiveInteger('workers', 1.5)),
    'Expected `workers` to be an integer >= 1, got `1.5`.',
  );
  t.is(
    messageOf(() => positiveInteger('workers', '3')),
    'Expected `workers` to be an integer >= 1, got `"3"`.',
  );
  t.is(
    messageOf(() => nonNegativeInteger('seed', -1)),
    'Expected `seed` to be an integer >= 0, got `-1`.',
  );
  t.is(
    messageOf(() => nonNegativeInteger('seed', undefined)),
    'Expected `seed` to be an integer >= 0, got nothing.',
  );
  t.is(
    messageOf(() => integerIn('port', 65_536, 0, 65_535)),
    'Expected `port` to be an integer from 0 to 65535, got `65536`.',
  );
  t.is(
    messageOf(() => shape('inputShape', [28, 0])),
    'Expected `inputShape` to be a list of integers >= 1, got `[28,0]`.',
  );
  t.is(
    messageOf(() => shape('inputShape', [])),
    'Expected `inputShape` to be a list of integers >= 1, got `[]`.',
  );
});

test('a refused choice that is near to an option names it', (t) => {
  const options = ['auto', 'wasm', 'blas'] as const;
  t.is(
    messageOf(() => oneOf('kernels', 'wsam', options)),
    'Expected `kernels` to be one of auto, wasm, blas, got `"wsam"`.',
  );
  t.is(
    messageOf(() => oneOf('kernels', 'BLAS', options)),
    'Expected `kernels` to be one of auto, wasm, blas, got `"BLAS"`; did you mean `blas`?',
  );
  t.is(
    messageOf(() => oneOf('kernels', 7, options)),
    'Expected `kernels` to be one of auto, wasm, blas, got `7`.',
  );
});

test('integerIn accepts exactly the integers of its range', (t) => {
  fc.assert(
    fc.property(fc.oneof(fc.integer({ min: -5, max: 15 }), fc.double()), (value) => {
      const accepted = messageOf(() => integerIn('n', value, 0, 10)) === 'accepted';
      return accepted === (Number.isInteger(value) && value >= 0 && value <= 10);
    }),
  );
  t.pass();
});

test('show sketches any value on one line of bounded length', (t) => {
  t.is(show(undefined), 'nothing');
  t.is(show({ a: [1, 'x', null], b: { c: { d: { e: 1 } } } }), '`{"a":[1,"x",null],"b":{"c":{"d":{...}}}}`');
  t.is(show({ 'a\u2028': 'b\u2029\u0085\u009b\u007f\n' }), '`{"a\\u2028":"b\\u2029\\u0085\\u009b\\u007f\\n"}`');
  t.is(show(new Float32Array(3)), '`Float32Array of 12 bytes`');
  t.is(show([1, 2, 3, 4, 5, 6, 7, 8, 9]), '`[1,2,3,4,5,6,7,8,...]`');
  const circle: unknown[] = [];
  circle.push(circle);
  t.is(show(circle), '`[[[[...]]]]`');
  fc.assert(
    fc.property(fc.anything(), (value) => {
      const text = show(value);
      return text.length <= 90 && !/[\n\u2028\u2029]/.test(text) && !text.includes('[object');
    }),
  );
});

test('nearest ignores case and underscores and gives up on strangers', (t) => {
  const options = ['learningRate', 'momentum', 'globalClipnorm'];
  t.is(nearest('learning_rate', options), 'learningRate');
  t.is(nearest('globalClipNorm', options), 'globalClipnorm');
  t.is(nearest('momentun', options), 'momentum');
  t.is(nearest('units', options), undefined);
});
