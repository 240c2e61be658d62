/**
 * Room: tests of kernels. Every kernel set of this machine over one arena, the reference first, each with scratch of its
 * own; a bump allocator for tensors and a seeded generator. A set that is not there is named in `missingSets`, so that
 * a test can skip it aloud.
 */
import { createBlasKernels, loadBlas } from '../../../src/kernels/blas.ts';
import { type Kernels, kernelScratchBytes } from '../../../src/kernels/contract.ts';
import { createReferenceKernels } from '../../../src/kernels/reference.ts';
import { compileWasmKernels, createWasmKernels } from '../../../src/kernels/wasm.ts';
import { type Address, Arena } from '../../../src/memory/arena.ts';

const arenaBytes = 64 * 2 ** 20;
const cacheLine = 64;

export const arena = Arena.create(arenaBytes);

/** The first byte that no kernel set owns: tensors of the tests start here. */
export const arenaStart: Address = cacheLine + 2 * kernelScratchBytes;

const module = compileWasmKernels();
const blas = loadBlas();

/** The sets that this machine has, the reference first. */
export const kernelSets: readonly Kernels[] = [
  createReferenceKernels(arena),
  createWasmKernels(module, arena, cacheLine),
  ...(blas.ok ? [createBlasKernels(blas, module, arena, cacheLine + kernelScratchBytes)] : []),
];

/** The sets that it does not have, each with the reason. */
export const missingSets: readonly string[] = blas.ok ? [] : [`blas: ${blas.reason}`];

/** Hands out the tests' part of the arena from its start; a new one starts over. */
export class TensorSpace {
  #end: Address = arenaStart;

  /** Room for `bytes` bytes, `shift` bytes after a cache line. */
  bytes(bytes: number, shift = 0): Address {
    const address = Math.ceil(this.#end / cacheLine) * cacheLine + shift;
    this.#end = address + bytes;
    if (this.#end > arenaBytes) throw new Error(`Expected the tests' tensors to fit ${arenaBytes} bytes, got ${this.#end}; make them smaller.`);
    return address;
  }

  /** A copy of `values`, `shift` bytes after a cache line. */
  floats(values: Float32Array, shift = 0): Address {
    const address = this.bytes(values.byteLength, shift);
    arena.f32.set(values, address >>> 2);
    return address;
  }
}

/** A copy of the `count` float32 numbers at `address`. */
export function floatsAt(address: Address, count: number): Float32Array {
  return new Float32Array(arena.f32.subarray(address >>> 2, (address >>> 2) + count));
}

/** `count` numbers of [-1, 1), the same for the same seed. */
export function randomFloats(count: number, seed: number): Float32Array {
  const values = new Float32Array(count);
  let state = (seed * 2654435761) >>> 0 || 1;
  for (let i = 0; i < count; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    values[i] = (state | 0) / 2 ** 31;
  }
  return values;
}
