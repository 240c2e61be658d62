/**
 * Room: tests of layers. Resizing: by hand, against TensorFlow.js, and where places fall on the border of two pixels.
 */
import * as tf from '@tensorflow/tfjs';
import test from 'ava';
import { fillAxis } from '../../src/layers/resizing.ts';
import { sequential } from '../../src/model/model.ts';
import { Network, numbers, relativeError } from '../contracts/network.ts';

type Interpolation = 'bilinear' | 'nearest';
type Size = readonly number[];

function resized(x: Float32Array, rows: number, inputShape: Size, [height = 0, width = 0]: Size, interpolation: Interpolation, shards = 1): Float32Array {
  return new Network([{ type: 'resizing', height, width, interpolation }], { inputShape, rows, shards }).forward(x);
}

test('bilinear, by hand: between the centres of pixels, and the edge beyond them', (t) => {
  // Places of 2 -> 4 in pixels: -0.25 (held at 0), 0.25, 0.75, 1.25 (held at 1).
  t.deepEqual([...resized(Float32Array.of(0, 4, 8, 20), 1, [2, 2], [4, 4], 'bilinear')], [0, 1, 3, 4, 2, 3.5, 6.5, 8, 6, 8.5, 13.5, 16, 8, 11, 17, 20]);
  // Places of 4 -> 2: 0.5 and 2.5; nothing is averaged beyond two pixels.
  t.deepEqual([...resized(Float32Array.of(1, 3, 100, 200), 1, [1, 4], [1, 2], 'bilinear')], [2, 150]);
});

test('nearest, by hand: the pixel in which the centre lies, that on a border belonging to the next', (t) => {
  t.deepEqual([...resized(Float32Array.of(1, 2, 3), 1, [1, 3], [1, 6], 'nearest')], [1, 1, 2, 2, 3, 3]);
  // Centres 1 and 3 of 4 -> 2.
  t.deepEqual([...resized(Float32Array.of(1, 2, 3, 4), 1, [1, 4], [1, 2], 'nearest')], [2, 4]);
  // Channels stay together.
  t.deepEqual([...resized(Float32Array.of(1, -1, 2, -2), 1, [1, 2, 2], [2, 3], 'nearest')], [1, -1, 2, -2, 2, -2, 1, -1, 2, -2, 2, -2]);
});

test('places are whole numbers over whole numbers: no rounding of a scale moves a pixel', (t) => {
  for (let inputs = 1; inputs <= 40; inputs++) {
    for (let outputs = 1; outputs <= 40; outputs++) {
      const place = new Int32Array(3 * outputs);
      fillAxis(inputs, outputs, 1, 'nearest', place);
      const expected = Array.from({ length: outputs }, (_, i) => Number((BigInt(2 * i + 1) * BigInt(inputs)) / BigInt(2 * outputs)));
      t.deepEqual([...place.subarray(0, outputs)], expected, `${inputs} to ${outputs}`);
    }
  }
});

for (const interpolation of ['bilinear', 'nearest'] as const) {
  test(`${interpolation} is what TensorFlow.js gives with centres at halves`, (t) => {
    const sizes: readonly (readonly [Size, Size])[] = [
      [
        [28, 28, 1],
        [32, 32],
      ],
      [
        [5, 7, 3],
        [11, 4],
      ],
      [
        [9, 4, 2],
        [3, 13],
      ],
      [
        [6, 6, 2],
        [6, 6],
      ],
    ];
    for (const [from, to] of sizes) {
      const x = numbers(3 * from[0]! * from[1]! * from[2]!, 5);
      const images = tf.tensor4d(x, [3, from[0]!, from[1]!, from[2]!]);
      const size: [number, number] = [to[0]!, to[1]!];
      const expected = interpolation === 'bilinear' ? tf.image.resizeBilinear(images, size, false, true) : tf.image.resizeNearestNeighbor(images, size, false, true);
      const found = resized(x, 3, from, to, interpolation);
      if (interpolation === 'nearest') t.deepEqual([...found], [...expected.dataSync()]);
      else t.true(relativeError(found, expected.dataSync()) < 5e-6, `${from} to ${to}`);
      tf.dispose([images, expected]);
    }
  });
}

test('the same size is a copy, bit for bit, and nothing beside a pixel comes into it', (t) => {
  const x = Float32Array.of(-0, Number.POSITIVE_INFINITY, Number.NaN, 1);
  for (const interpolation of ['bilinear', 'nearest'] as const) t.deepEqual(resized(x, 1, [2, 2], [2, 2], interpolation), x);
  t.deepEqual([...resized(x, 1, [2, 2], [4, 2], 'nearest')], [-0, Number.POSITIVE_INFINITY, -0, Number.POSITIVE_INFINITY, Number.NaN, 1, Number.NaN, 1]);
});

test('bits do not depend on how the batch is cut, forward and backward', (t) => {
  const result = (shards: number) => {
    const network = new Network([{ type: 'resizing', height: 5, width: 9 }], { inputShape: [4, 6, 3], rows: 7, shards });
    return [network.forward(numbers(7 * 72, 1)), network.backward(numbers(7 * 135, 2)).dx];
  };
  for (const shards of [2, 3, 5]) t.deepEqual(result(shards), result(1));
});

test('all of dy reaches the image', (t) => {
  for (const interpolation of ['bilinear', 'nearest'] as const) {
    const network = new Network([{ type: 'resizing', height: 9, width: 4, interpolation }], { inputShape: [3, 5], rows: 2 });
    network.forward(numbers(30, 1));
    const { dx } = network.backward(new Float32Array(72).fill(1));
    t.true(Math.abs(dx.reduce((sum, value) => sum + value, 0) - 72) < 1e-4);
  }
});

test('what is no image is refused with the mend', (t) => {
  for (const inputShape of [[6], [2, 3, 4, 5]]) {
    t.throws(() => sequential([{ type: 'resizing', height: 2, width: 2, inputShape }]), {
      code: 'LOCKSTEP_SHAPE',
      message: /^Expected the input of `.*` to be \(height, width\) or \(height, width, channels\), got .*; put a reshape before it\.$/,
    });
  }
});
