/**
 * Room: layers (level 3). Resizing: images (height, width) or (height, width, channels) of another size, for layers that expect it. Pixels have their centres at
 * halves, so output pixel i of n looks at place (i + 0.5) * inputs / n of its axis, and what lies outside the image is its edge; nothing is averaged
 * before an image is made smaller (no antialias).
 *
 *   nearest:    the pixel in which the place lies: floor(place)
 *   bilinear:   between the two pixels around place - 0.5, in float32 and in this order; on a pixel it is a copy:
 *               top = a + (b - a) * wx,  bottom = c + (d - c) * wx,  y = top + (bottom - top) * wy
 *   backward:   each output pixel in row-major order gives its four pixels their shares of dy:
 *               lower = dy * wy, upper = dy - lower, then of each: right = part * wx, left = part - right
 *
 * Which pixels and weights these are is computed in whole numbers, so that no rounding of a scale moves a pixel. Source: Keras 3's Resizing and tf.image.resize of
 * TensorFlow 2 (`half_pixel_centers`, `antialias` false), which compute the places in float32.
 */
import type { LayerConfigOf } from '../config/layers.ts';
import { LockstepError } from '../errors.ts';
import type { Address, Arena } from '../memory/arena.ts';
import { formatShape, type Shape, sizeOf } from '../memory/shape.ts';
import type { Builder, LayerDefinition, Operation, RankContext } from './layer.ts';

type ResizingConfig = LayerConfigOf<'resizing'>;

/** Throws LOCKSTEP_SHAPE for samples that are no images. */
export function defineResizing(config: ResizingConfig, inputShape: Shape, place: string): LayerDefinition {
  const [height, width, channels = 1, ...more] = inputShape;
  if (height === undefined || width === undefined || more.length > 0) {
    throw new LockstepError(
      'LOCKSTEP_SHAPE',
      `Expected the input of \`${place}\` to be (height, width) or (height, width, channels), got ${formatShape(inputShape)}; put a reshape before it.`,
    );
  }
  const outputShape = [config.height, config.width, ...inputShape.slice(2)];
  return {
    outputShape,
    mask: 'ended',
    weights: [],
    inPlaceBackward: false,
    compile: (builder) => new Resizing(builder, config, height, width, channels),
  };
}

/** By output pixel of an axis: `steps` of its two pixels, in numbers, and the share of the second. */
export function fillAxis(inputs: number, outputs: number, stride: number, interpolation: ResizingConfig['interpolation'], place: Int32Array): void {
  const shares = new Float32Array(place.buffer, place.byteOffset, place.length);
  const parts = 2 * outputs;
  for (let i = 0; i < outputs; i++) {
    // place = numerator / parts, and place - 0.5 is `outputs` parts less.
    const numerator = (2 * i + 1) * inputs;
    const shifted = interpolation === 'nearest' ? numerator - (numerator % parts) : numerator - outputs;
    const lower = Math.floor(shifted / parts);
    place[i] = Math.max(lower, 0) * stride;
    place[outputs + i] = Math.min(interpolation === 'nearest' ? lower : lower + 1, inputs - 1) * stride;
    shares[parts + i] = (shifted - lower * parts) / parts;
  }
}

class Resizing implements Operation {
  readonly output: Address;
  readonly #input: Address;
  readonly #inputSize: number;
  readonly #height: number;
  readonly #width: number;
  readonly #channels: number;
  /** As `fillAxis` fills them: where pixels begin. */
  readonly #rows: Address;
  readonly #columns: Address;

  constructor(builder: Builder, config: ResizingConfig, height: number, width: number, channels: number) {
    const { interpolation } = config;
    this.#input = builder.input;
    this.#inputSize = sizeOf(builder.inputShape);
    this.#height = config.height;
    this.#width = config.width;
    this.#channels = channels;
    this.output = builder.rows(config.height * config.width * channels);
    this.#rows = builder.constants(3 * config.height, (place) => fillAxis(height, config.height, width * channels, interpolation, place));
    this.#columns = builder.constants(3 * config.width, (place) => fillAxis(width, config.width, channels, interpolation, place));
  }

  forward({ arena, batch }: RankContext): void {
    for (let row = 0; row < batch.rows; row++) this.#resize(arena, row);
  }

  #resize({ f32, i32 }: Arena, row: number): void {
    const [height, width, channels] = [this.#height, this.#width, this.#channels];
    const [rows, columns] = [this.#rows >>> 2, this.#columns >>> 2];
    const from = (this.#input >>> 2) + row * this.#inputSize;
    let to = (this.output >>> 2) + row * height * width * channels;
    for (let y = 0; y < height; y++) {
      const upper = from + i32[rows + y]!;
      const lower = from + i32[rows + height + y]!;
      const wy = f32[rows + 2 * height + y]!;
      for (let x = 0; x < width; x++) {
        const left = i32[columns + x]!;
        const right = i32[columns + width + x]!;
        const wx = f32[columns + 2 * width + x]!;
        if (wx === 0 && wy === 0) {
          // On a pixel: a copy, whatever is beside it.
          for (let c = 0; c < channels; c++, to++) f32[to] = f32[upper + left + c]!;
          continue;
        }
        for (let c = 0; c < channels; c++, to++) {
          const a = f32[upper + left + c]!;
          const b = f32[upper + right + c]!;
          const top = Math.fround(a + Math.fround(Math.fround(b - a) * wx));
          const under = f32[lower + left + c]!;
          const d = f32[lower + right + c]!;
          const bottom = Math.fround(under + Math.fround(Math.fround(d - under) * wx));
          f32[to] = top + Math.fround(Math.fround(bottom - top) * wy);
        }
      }
    }
  }

  backward({ arena, batch }: RankContext, dy: Address, dx: Address): void {
    if (dx === 0) return;
    const from = dx >>> 2;
    arena.f32.fill(0, from, from + batch.rows * this.#inputSize);
    for (let row = 0; row < batch.rows; row++) this.#spread(arena, row, dy, dx);
  }

  #spread({ f32, i32 }: Arena, row: number, dy: Address, dx: Address): void {
    const [height, width, channels] = [this.#height, this.#width, this.#channels];
    const [rows, columns] = [this.#rows >>> 2, this.#columns >>> 2];
    const into = (dx >>> 2) + row * this.#inputSize;
    let at = (dy >>> 2) + row * height * width * channels;
    for (let y = 0; y < height; y++) {
      const upper = into + i32[rows + y]!;
      const lower = into + i32[rows + height + y]!;
      const wy = f32[rows + 2 * height + y]!;
      for (let x = 0; x < width; x++) {
        const left = i32[columns + x]!;
        const right = i32[columns + width + x]!;
        const wx = f32[columns + 2 * width + x]!;
        if (wx === 0 && wy === 0) {
          for (let c = 0; c < channels; c++, at++) f32[upper + left + c]! += f32[at]!;
          continue;
        }
        for (let c = 0; c < channels; c++, at++) {
          const bottom = Math.fround(f32[at]! * wy);
          const top = Math.fround(f32[at]! - bottom);
          const topRight = Math.fround(top * wx);
          const bottomRight = Math.fround(bottom * wx);
          f32[upper + left + c]! += Math.fround(top - topRight);
          f32[upper + right + c]! += topRight;
          f32[lower + left + c]! += Math.fround(bottom - bottomRight);
          f32[lower + right + c]! += bottomRight;
        }
      }
    }
  }
}
