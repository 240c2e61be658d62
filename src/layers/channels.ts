/**
 * Room: layers (level 3). Which numbers of a sample belong to which channel. Kernels know channels as the last dimension
 * only; any other choice of axes is reached by permuting each row.
 */
import { type Shape, sizeOf } from '../memory/shape.ts';

export interface ChannelLayout {
  readonly channels: number;
  /** Values of a channel in one sample. */
  readonly positions: number;
  /** Absent when the channel axes are the last ones already. `forward` maps (positions, channels) to the stored order. */
  readonly permutation: { readonly forward: Int32Array; readonly inverse: Int32Array } | undefined;
}

/** The layout of a sample of `shape` whose `axes` (ascending, 0 the sample's first dimension) together index the channels. */
export function channelLayout(shape: Shape, axes: readonly number[]): ChannelLayout {
  const others = shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const channels = sizeOf(axes.map((axis) => shape[axis]!));
  const positions = sizeOf(others.map((axis) => shape[axis]!));
  const order = [...others, ...axes];
  if (order.every((axis, i) => axis === i)) return { channels, positions, permutation: undefined };

  const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
  const forward = new Int32Array(channels * positions);
  const inverse = new Int32Array(channels * positions);
  for (let i = 0; i < forward.length; i++) {
    let rest = i;
    let stored = 0;
    for (const axis of order.toReversed()) {
      stored += (rest % shape[axis]!) * strides[axis]!;
      rest = Math.floor(rest / shape[axis]!);
    }
    forward[i] = stored;
    inverse[stored] = i;
  }
  return { channels, positions, permutation: { forward, inverse } };
}
