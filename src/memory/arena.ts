/**
 * Room: memory (level 1). The arena: one shared `WebAssembly.Memory` per host, of which every tensor is a view.
 * It promises that views stay valid for the whole run: one that grows keeps its addresses, and whoever wants to see the new part
 * attaches anew. It never allocates inside the memory itself: that is the memory plan's work.
 */
import { LockstepError } from '../errors.ts';

/** A byte offset into the arena, 0 to 2^32. Address 0 is never handed out and stands for "none". */
export type Address = number;

/** Bytes of one WebAssembly page. */
export const pageBytes = 65_536;

/** The largest arena: a 32-bit WebAssembly memory, in bytes. */
export const arenaLimitBytes = 65_536 * pageBytes;

export class Arena {
  readonly memory: WebAssembly.Memory;
  /** Views of the whole memory: index with `address >>> shift` (u8 0, i32 and f32 2, f64 3). */
  readonly u8: Uint8Array<SharedArrayBuffer>;
  readonly i32: Int32Array<SharedArrayBuffer>;
  readonly f32: Float32Array<SharedArrayBuffer>;
  readonly f64: Float64Array<SharedArrayBuffer>;

  /** Attaches to a memory made by `Arena.create`, possibly in another thread. */
  constructor(memory: WebAssembly.Memory) {
    this.memory = memory;
    const buffer = memory.buffer as unknown as SharedArrayBuffer;
    this.u8 = new Uint8Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.f32 = new Float32Array(buffer);
    this.f64 = new Float64Array(buffer);
  }

  /** Makes a zeroed arena of at least `bytes` bytes. Throws LOCKSTEP_MEMORY over 4 GiB or when the system has no room. */
  static create(bytes: number, { growable = false } = {}): Arena {
    const pages = Math.max(1, Math.ceil(bytes / pageBytes));
    const gib = (bytes / 2 ** 30).toFixed(2);
    if (pages * pageBytes > arenaLimitBytes) {
      throw new LockstepError('LOCKSTEP_MEMORY', `Expected the run to fit an arena of 4 GiB, got ${gib} GiB; use a smaller batch or model, or limit the data.`);
    }
    try {
      return new Arena(new WebAssembly.Memory({ initial: pages, maximum: growable ? arenaLimitBytes / pageBytes : pages, shared: true }));
    } catch (cause) {
      throw new LockstepError(
        'LOCKSTEP_MEMORY',
        `Expected the system to give ${gib} GiB of shared memory, but it refused; free memory or use a smaller batch or model.`,
        { cause },
      );
    }
  }

  /** The same memory with room for at least `bytes` bytes. Throws LOCKSTEP_MEMORY when it was not made growable or the system has no room. */
  grown(bytes: number): Arena {
    const missing = Math.ceil((bytes - this.u8.length) / pageBytes);
    if (missing <= 0) return this;
    try {
      this.memory.grow(missing);
    } catch (cause) {
      const gib = (bytes / 2 ** 30).toFixed(2);
      throw new LockstepError('LOCKSTEP_MEMORY', `Expected the arena to grow to ${gib} GiB, but the system refused; free memory or use a smaller batch or model.`, {
        cause,
      });
    }
    return new Arena(this.memory);
  }
}
