/**
 * Room: tests of layers. Definitions: output shapes, weights, and the text of what does not fit.
 */
import test from 'ava';
import fc from 'fast-check';
import type { LayerConfigInput } from '../../src/config/layers.ts';
import { parseLayer } from '../../src/config/parse.ts';
import { type ChannelLayout, channelLayout } from '../../src/layers/channels.ts';
import { defineLayer } from '../../src/layers/define.ts';
import { layers } from '../../src/layers/factories.ts';
import type { LayerDefinition } from '../../src/layers/layer.ts';
import { type Shape, sizeOf } from '../../src/memory/shape.ts';

const define = (layer: LayerConfigInput, inputShape: Shape): LayerDefinition => defineLayer(parseLayer(layer), inputShape, 'model.layers[1]');

test('dense replaces the last dimension by its units', (t) => {
  t.deepEqual(define(layers.dense({ units: 3 }), [5]).outputShape, [3]);
  t.deepEqual(define(layers.dense({ units: 3 }), [4, 2, 5]).outputShape, [4, 2, 3]);
});

test('dense has a kernel (inputs, units) and a bias (units) unless told otherwise', (t) => {
  const weights = (layer: LayerConfigInput): string[] => define(layer, [4, 5]).weights.map(({ name, shape, role }) => `${name} ${shape} ${role}`);
  t.deepEqual(weights(layers.dense({ units: 3 })), ['kernel 5,3 summed', 'bias 3 summed']);
  t.deepEqual(weights(layers.dense({ units: 3, useBias: false })), ['kernel 5,3 summed']);
});

test('layers that keep their shape do', (t) => {
  for (const layer of [layers.activation({ activation: 'softmax' }), layers.dropout({ rate: 0.5 }), layers.batchNormalization()]) {
    t.deepEqual(define(layer, [4, 2, 5]).outputShape, [4, 2, 5], layer.type);
  }
});

test('flatten makes one dimension of all', (t) => {
  t.deepEqual(define(layers.flatten(), [28, 28]).outputShape, [784]);
  t.deepEqual(define(layers.flatten(), [7]).outputShape, [7]);
});

test('reshape takes any dimensions of the same product, one of them left open', (t) => {
  const shape = (targetShape: number[], inputShape: Shape): Shape => define(layers.reshape({ targetShape }), inputShape).outputShape;
  t.deepEqual(shape([28, 28, 1], [784]), [28, 28, 1]);
  t.deepEqual(shape([-1], [4, 6]), [24]);
  t.deepEqual(shape([3, -1, 2], [4, 6]), [3, 4, 2]);
  t.deepEqual(shape([-1, 24], [4, 6]), [1, 24]);
});

test('reshape refuses another product, and an open dimension that is no integer', (t) => {
  const message = (targetShape: number[]): string | undefined => t.throws(() => define(layers.reshape({ targetShape }), [4, 6]), { code: 'LOCKSTEP_SHAPE' })?.message;
  const sentence = (shape: string): string =>
    `Expected \`model.layers[1].targetShape\` to hold the 24 numbers of its input (4, 6), got ${shape}; choose dimensions whose product is 24.`;
  t.is(message([5, 5]), sentence('(5, 5)'));
  t.is(message([5, -1]), sentence('(5, -1)'));
  t.is(message([48, -1]), sentence('(48, -1)'));
  t.is(message([25]), sentence('(25,)'));
});

test('renames compile to nothing', (t) => {
  const compile = (definition: LayerDefinition): unknown => definition.compile(undefined as never);
  t.is(compile(define(layers.flatten(), [2, 2])), undefined);
  t.is(compile(define(layers.reshape({ targetShape: [4] }), [2, 2])), undefined);
});

/** Both tables of a permutation of `size` numbers. */
function tables(permutation: NonNullable<ChannelLayout['permutation']>, size: number): { forward: number[]; inverse: number[] } {
  const [forward, inverse] = [new Int32Array(size), new Int32Array(size)];
  permutation.forward(forward);
  permutation.inverse(inverse);
  return { forward: [...forward], inverse: [...inverse] };
}

test('trailing channel axes need no permutation', (t) => {
  for (const [shape, axes] of [
    [[5], [0]],
    [[4, 5], [1]],
    [
      [4, 5],
      [0, 1],
    ],
    [[1, 4, 5], [2]],
  ] as const) {
    const layout = channelLayout(shape, axes);
    t.is(layout.permutation, undefined, `${axes} of ${shape}`);
    t.is(layout.channels * layout.positions, sizeOf(shape));
  }
});

test('a permutation brings the channels of (2, 3) over its first axis to the end', (t) => {
  const { channels, positions, permutation } = channelLayout([2, 3], [0]);
  t.deepEqual([channels, positions], [2, 3]);
  t.deepEqual(tables(permutation!, 6), { forward: [0, 3, 1, 4, 2, 5], inverse: [0, 2, 4, 1, 3, 5] });
});

test('the permutation and its inverse undo each other, for any shape and axes', (t) => {
  const shapes = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 });
  const chosen = shapes.chain((shape) =>
    fc.record({
      shape: fc.constant(shape),
      axes: fc.subarray(
        shape.map((_, axis) => axis),
        { minLength: 1 },
      ),
    }),
  );
  fc.assert(
    fc.property(chosen, ({ shape, axes }) => {
      const { channels, positions, permutation } = channelLayout(shape, axes);
      if (channels * positions !== sizeOf(shape)) return false;
      if (permutation === undefined) return true;
      const { forward, inverse } = tables(permutation, channels * positions);
      return forward.every((stored, i) => inverse[stored] === i);
    }),
  );
  t.pass();
});
