/**
 * Room: tests of kernels. Runs one call on every kernel set and holds the results against the reference's, bit for bit.
 * Every set gets its own copy of every buffer, at its own offset from a cache line and between guard bytes, so a result
 * that depends on an address, an input that is written, and a byte touched outside the arguments all fail.
 */
import type { ExecutionContext } from 'ava';
import type { Kernels } from '../../../src/kernels/contract.ts';
import type { Address } from '../../../src/memory/arena.ts';
import { arena, arenaStart, kernelSets, randomFloats } from './sets.ts';

type Buffers = Record<string, Float32Array | Float64Array | Int32Array | Uint32Array | Uint8Array>;
type Addresses<B extends Buffers> = { readonly [Name in keyof B]: Address };

const guardBytes = 64;
const guard = 0xa5;

let draws = 0;

/** `count` numbers of [mean - spread, mean + spread): others at every call, the same in every run of a test file. */
export function floats(count: number, mean = 0, spread = 1): Float32Array {
  return randomFloats(count, ++draws).map((value) => mean + spread * value);
}

/** A buffer for float32 results. */
export function zeros(count: number): Float32Array {
  return new Float32Array(count);
}

/** Calls `run` on every set over copies of `buffers` (inputs, and outputs with any content) and compares all of them. */
export function agree<B extends Buffers>(t: ExecutionContext, title: string, buffers: B, run: (kernels: Kernels, at: Addresses<B>) => void): void {
  let expected: Buffers | undefined;
  for (const [index, kernels] of kernelSets.entries()) {
    const at = place(buffers, index);
    run(kernels, at as Addresses<B>);
    const results = read(buffers, at);
    expected ??= results;
    for (const [name, actual] of Object.entries(results)) {
      const i = firstDifference(actual, expected[name]!);
      if (i >= 0) t.fail(`${kernels.set}, ${title}: ${name}[${i}] is ${actual[i]}, expected ${expected[name]![i]}`);
      if (!isGuarded(at[name]!, actual.byteLength)) t.fail(`${kernels.set}, ${title}: wrote outside ${name}`);
    }
  }
  t.pass();
}

/** Copies the buffers into the arena, the n-th set's n elements past a cache line, each between guard bytes. */
function place(buffers: Buffers, set: number): Record<string, Address> {
  const at: Record<string, Address> = {};
  let end = arenaStart;
  for (const [name, buffer] of Object.entries(buffers)) {
    const address = end + guardBytes + set * buffer.BYTES_PER_ELEMENT;
    const bytes = new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
    arena.u8.fill(guard, address - guardBytes, address + bytes.length + guardBytes);
    arena.u8.set(bytes, address);
    at[name] = address;
    end = Math.ceil((address + bytes.length + guardBytes) / 64) * 64;
  }
  return at;
}

/** Copies of what the buffers hold now. */
function read(buffers: Buffers, at: Record<string, Address>): Buffers {
  return Object.fromEntries(
    Object.entries(buffers).map(([name, buffer]) => {
      const View = buffer.constructor as Float32ArrayConstructor;
      const bytes = arena.u8.slice(at[name]!, at[name]! + buffer.byteLength);
      return [name, new View(new Uint8Array(bytes).buffer)];
    }),
  );
}

/** The first index at which two vectors differ (0 and -0 differ, NaN equals NaN), or -1. */
function firstDifference(actual: Buffers[string], expected: Buffers[string]): number {
  return actual.findIndex((value, i) => !Object.is(value, expected[i]));
}

function isGuarded(address: Address, bytes: number): boolean {
  const isGuard = (byte: number): boolean => byte === guard;
  return arena.u8.subarray(address - guardBytes, address).every(isGuard) && arena.u8.subarray(address + bytes, address + bytes + guardBytes).every(isGuard);
}
