/**
 * Room: model (level 4). A data set in the arena: what it is, and where its rows, labels and weights are.
 */
import type { Address, Arena } from '../memory/arena.ts';
import type { MemoryPlan } from '../memory/plan.ts';
import { type Shape, sizeOf } from '../memory/shape.ts';

/** One set of rows in the arena. */
export interface DataSpec {
  readonly length: number;
  readonly inputShape: Shape;
  readonly inputType: 'uint8' | 'float32';
  /** Every input is divided by this. */
  readonly scale: number;
  /** float32 targets a row; 0 for class labels (one int32 a row). */
  readonly targetSize: number;
  /** True when rows have weights in the loss; absent: all count alike. */
  readonly weighted?: boolean;
  /** The weight of each class, where classes have any: it multiplies that of the row. */
  readonly classWeights?: readonly number[];
  /** True when inputs stay on disk and come through the ring of `feed-place.ts`. */
  readonly streamed?: boolean;
}

/** A data set's place: inputs in their stored type (0 for streamed ones), then labels (int32) or targets (float32), then the weights of rows (float32; 0 for none). */
export interface DataPlace {
  readonly spec: DataSpec;
  readonly inputs: Address;
  readonly labels: Address;
  readonly weights: Address;
}

export function placeData(memory: MemoryPlan, spec: DataSpec): DataPlace {
  const bytesEach = spec.inputType === 'uint8' ? 1 : 4;
  return {
    spec,
    inputs: spec.streamed ? 0 : memory.reserve('data', spec.length * sizeOf(spec.inputShape) * bytesEach),
    labels: memory.reserve('data', spec.length * 4 * Math.max(1, spec.targetSize)),
    weights: spec.weighted ? memory.reserve('data', spec.length * 4) : 0,
  };
}

/** What the sum of losses over the whole set is divided by: its rows, or the sum of their weights, added in row order. */
export function wholeWeight({ f32 }: Arena, { spec, weights }: DataPlace): number {
  if (!spec.weighted) return spec.length;
  let sum = 0;
  for (let row = 0; row < spec.length; row++) sum += f32[(weights >>> 2) + row]!;
  return sum;
}
