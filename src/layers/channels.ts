/**
 * Room: layers (level 3). Which numbers of a sample belong to which channel. Kernels know channels as the last dimension
 * only; any other choice of axes is reached by permuting each row.
 */
import { type Shape, sizeOf } from '../memory/shape.ts';

export interface ChannelLayout {
  readonly channels: number;
  /** Values of a channel in one sample. */
  readonly positions: number;
  /** Absent when the channel axes are the last ones already. */
  readonly permutation: Permutation | undefined;
}

/** Writers of tables of (channels x positions) numbers: whether those fit memory is only known when a plan was made. */
interface Permutation {
  /** From (positions, channels) to the stored order. */
  forward(table: Int32Array): void;
  /** From the stored order to (positions, channels). */
  inverse(table: Int32Array): void;
}

/** The layout of a sample of `shape` whose `axes` (ascending, 0 the sample's first dimension) together index the channels. */
export function channelLayout(shape: Shape, axes: readonly number[]): ChannelLayout {
  const others = shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const channels = sizeOf(axes.map((axis) => shape[axis]!));
  const positions = sizeOf(others.map((axis) => shape[axis]!));
  const order = [...others, ...axes];
  if (order.every((axis, i) => axis === i)) return { channels, positions, permutation: undefined };

  const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
  const reversed = order.toReversed();
  const storedAt = (i: number): number => {
    let rest = i;
    let stored = 0;
    for (const axis of reversed) {
      stored += (rest % shape[axis]!) * strides[axis]!;
      rest = Math.floor(rest / shape[axis]!);
    }
    return stored;
  };
  const permutation: Permutation = {
    forward(table) {
      for (let i = 0; i < table.length; i++) table[i] = storedAt(i);
    },
    inverse(table) {
      for (let i = 0; i < table.length; i++) table[storedAt(i)] = i;
    },
  };
  return { channels, positions, permutation };
}
