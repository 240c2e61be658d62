/**
 * Room: memory (level 1). The static memory plan: who gets which bytes of the arena, decided once before the arena exists.
 * It promises that the same sequence of reservations gives the same addresses in every thread, so addresses need never
 * be sent. It never frees: a step allocates nothing.
 */
import { LockstepError } from '../errors.ts';
import { type Address, arenaLimitBytes } from './arena.ts';

/** What bytes are for; the rows of `lockstep summary --memory` and of the memory metrics. */
export const memoryKinds = ['control', 'parameters', 'optimizer', 'gradients', 'statistics', 'activations', 'scratch', 'data'] as const;
export type MemoryKind = (typeof memoryKinds)[number];

/** Alignment of every reservation in bytes: one cache line, so that two ranks never write the same line. */
export const alignmentBytes = 64;

export class MemoryPlan {
  /** Address 0 means "none", so the first line stays unused. */
  #end = alignmentBytes;
  readonly #bytesByKind = new Map<MemoryKind, number>(memoryKinds.map((kind) => [kind, 0]));

  /** Bytes of the arena that the reservations so far need. */
  get bytes(): number {
    return this.#end;
  }

  /** Bytes reserved for each kind, padding included. */
  get bytesByKind(): ReadonlyMap<MemoryKind, number> {
    return this.#bytesByKind;
  }

  /** The address of `bytes` zeroed bytes, aligned to a cache line. */
  reserve(kind: MemoryKind, bytes: number): Address {
    const address = this.#end;
    const padded = Math.max(1, Math.ceil(bytes / alignmentBytes)) * alignmentBytes;
    this.#end += padded;
    this.#bytesByKind.set(kind, (this.#bytesByKind.get(kind) ?? 0) + padded);
    return address;
  }

  /** Throws LOCKSTEP_MEMORY, with the largest kind and what would shrink it, when the plan is larger than an arena. */
  checkFits(): void {
    if (this.#end <= arenaLimitBytes) return;
    const [kind, bytes] = [...this.#bytesByKind].reduce((largest, entry) => (entry[1] > largest[1] ? entry : largest));
    throw new LockstepError(
      'LOCKSTEP_MEMORY',
      `Expected the run to fit the 4 GiB of a host's arena, got ${gibibytes(this.#end)} of which ${gibibytes(bytes)} are ${kind}; ${mends[kind]}.`,
    );
  }
}

const mends: Record<MemoryKind, string> = {
  control: 'use fewer workers',
  parameters: 'use fewer units',
  optimizer: 'use sgd without momentum or fewer units',
  gradients: 'use fewer shards or fewer units',
  statistics: 'use fewer shards',
  activations: 'use a smaller batchSize, with gradientAccumulationSteps for the same steps, or fewer units',
  scratch: 'use fewer workers',
  data: 'set `limit` or `streaming: true` on the data',
};

/** Bytes as GiB with two decimals. */
export function gibibytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(2)} GiB`;
}
