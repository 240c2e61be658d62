/**
 * Room: layers (level 3). What batch normalisation hands to its kernels for every channel, and which channels a rank writes for all.
 */
import type { Address, Arena } from '../memory/arena.ts';
import type { Builder, RankContext } from './layer.ts';

/** Per channel, float32: the mean as a pair, gamma * invStd, and the two means that backward subtracts. */
export interface ChannelVectors {
  readonly meanHi: Address;
  readonly meanLo: Address;
  readonly scale: Address;
  readonly a: Address;
  readonly b: Address;
}

export function reserveVectors(builder: Builder, channels: number): ChannelVectors {
  const vector = (): Address => builder.private(4 * channels);
  return { meanHi: vector(), meanLo: vector(), scale: vector(), a: vector(), b: vector() };
}

/** Those of moving statistics; `gamma` is address 0 for none. */
export function movingVectors(
  { f32 }: Arena,
  { meanHi, meanLo, scale }: ChannelVectors,
  channels: number,
  movingMean: Address,
  movingVariance: Address,
  gamma: Address,
  epsilon: number,
): void {
  for (let c = 0; c < channels; c++) {
    const invStd = 1 / Math.sqrt(f32[(movingVariance >>> 2) + c]! + epsilon);
    f32[(meanHi >>> 2) + c] = f32[(movingMean >>> 2) + c]!;
    f32[(meanLo >>> 2) + c] = 0;
    f32[(scale >>> 2) + c] = gamma === 0 ? invStd : f32[(gamma >>> 2) + c]! * invStd;
  }
}

/** The first of the channels that rank `rank` writes for everybody; they end where those of the next one begin. */
export function shareStart({ ranks }: RankContext, channels: number, rank: number): number {
  return Math.floor((channels * rank) / ranks);
}

/** For a backward pass through statistics that are no function of the rows: dx subtracts nothing. */
export function constantStatistics({ f32 }: Arena, { a, b }: ChannelVectors, channels: number): void {
  f32.fill(0, a >>> 2, (a >>> 2) + channels);
  f32.fill(0, b >>> 2, (b >>> 2) + channels);
}
