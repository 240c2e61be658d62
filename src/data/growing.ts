/**
 * Room: data (level 3). Numbers whose count is not known before they are read. It promises that they stand together, and that the
 * values are not copied once more at the end; doubling costs a copy of each number on the way.
 */
import { checkFitsArena, mostNumbers } from './room.ts';

/** Where numbers go one after the other. */
export interface NumberSink {
  readonly values: Float32Array;
  length: number;
  /** Makes sure that `count` more numbers fit; they are then written to `values` from `length`. */
  reserve(count: number): void;
}

export class Growing implements NumberSink {
  values: Float32Array;
  readonly #name: string;
  length = 0;

  /** Room for `expected` numbers at first: the closer that is, the less is copied. `name` is what messages call the data. */
  constructor(name: string, expected: number) {
    this.#name = name;
    this.values = new Float32Array(Math.min(expected, mostNumbers));
  }

  /** Throws LOCKSTEP_MEMORY beyond an arena. */
  reserve(count: number): void {
    if (this.length + count <= this.values.length) return;
    checkFitsArena(this.#name, 4 * (this.length + count));
    const larger = new Float32Array(Math.min(mostNumbers, Math.max(2 * this.values.length, this.length + count)));
    larger.set(this.values.subarray(0, this.length));
    this.values = larger;
  }

  push(value: number): void {
    this.reserve(1);
    this.values[this.length++] = value;
  }

  taken(): Float32Array {
    return this.values.subarray(0, this.length);
  }
}
