/**
 * Room: layers (level 3). What a mask changes in batch normalisation. A mask has a byte a step, 0 for one that is masked: it counts in no statistic, but is normalised by
 * them. With U the unmasked steps of the batch, N of them, and S1 and S2 sums over all steps, masked ones included, as all are functions of the statistics:
 *
 *   dx_j = gamma * invStd * (dy_j - [j in U] * (S1/N + (x_j - mean) * (S2 * invStd^2 / N)))
 *
 * Moments are those of the unmasked steps copied together: the same bits as of a batch that has no others.
 */
import { LockstepError } from '../errors.ts';
import type { Address } from '../memory/arena.ts';
import type { Shape } from '../memory/shape.ts';
import { checkedAxes } from './axes.ts';
import type { RankContext } from './layer.ts';
import type { ChannelVectors } from './normalization-vectors.ts';

/** A mask says of whole steps whether they count. Throws LOCKSTEP_CONFIG for statistics over other axes than all but the last. */
export function checkMaskedAxis(axis: number | readonly number[], inputShape: Shape, place: string): void {
  const [first, ...more] = checkedAxes(axis, inputShape, place);
  if (more.length === 0 && first === inputShape.length - 1) return;
  throw new LockstepError(
    'LOCKSTEP_CONFIG',
    `Expected \`${place}.axis\` to be the last, -1, as a masking before it masks whole steps, got ${JSON.stringify(axis)}; change it, or put a flatten or a reshape between the two.`,
  );
}

/**
 * Mean and m2 (float64, a number a channel) of the unmasked ones of `steps` steps at x, all of them without a mask (0). They are copied to `packed`, where all would find
 * place; how many they are.
 */
export function unmaskedMoments(
  { kernels, arena: { u8 } }: RankContext,
  mask: Address,
  x: Address,
  packed: Address,
  mean: Address,
  m2: Address,
  steps: number,
  channels: number,
): number {
  if (mask === 0) {
    kernels.moments(x, mean, m2, steps, channels);
    return steps;
  }
  let count = 0;
  for (let step = 0; step < steps; ) {
    const end = endOfRun(u8, mask, step, steps);
    if (u8[mask + step] !== 0) {
      u8.copyWithin(packed + 4 * count * channels, x + 4 * step * channels, x + 4 * end * channels);
      count += end - step;
    }
    step = end;
  }
  kernels.moments(packed, mean, m2, count, channels);
  return count;
}

/** The gradient of `steps` steps at dy becomes that of x, in its place; mask and `zeros`, room for a number a channel, are 0 when there is no mask. */
export function maskedBackward(
  { kernels, arena: { u8, f32 } }: RankContext,
  mask: Address,
  dy: Address,
  x: Address,
  { meanHi, meanLo, scale, a, b }: ChannelVectors,
  zeros: Address,
  steps: number,
  channels: number,
): void {
  if (mask === 0) {
    kernels.normalizeBackward(dy, x, dy, meanHi, meanLo, scale, a, b, steps, channels);
    return;
  }
  f32.fill(0, zeros >>> 2, (zeros >>> 2) + channels);
  for (let step = 0; step < steps; ) {
    const end = endOfRun(u8, mask, step, steps);
    const at = 4 * step * channels;
    const counts = u8[mask + step] !== 0;
    kernels.normalizeBackward(dy + at, x + at, dy + at, meanHi, meanLo, scale, counts ? a : zeros, counts ? b : zeros, end - step, channels);
    step = end;
  }
}

/** Where the steps from `step` on that are alike end. */
function endOfRun(u8: Uint8Array, mask: Address, step: number, steps: number): number {
  let end = step + 1;
  while (end < steps && u8[mask + end] === u8[mask + step]) end++;
  return end;
}
