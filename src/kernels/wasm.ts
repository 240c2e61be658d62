/**
 * Room: kernels (level 2). The WebAssembly kernel set: kernels.wasm, which `scripts/build.mjs` puts beside this file,
 * instantiated over the arena. It promises the same bits on every machine and that each method is the instance's own
 * export, with no wrapper around it. It never allocates in the arena: the caller gives it scratch.
 */
import { readFileSync } from 'node:fs';
import { LockstepError } from '../errors.ts';
import type { Address, Arena } from '../memory/arena.ts';
import type { Kernels } from './contract.ts';

/** The scratch's alignment, bytes: a cache line. */
const scratchAlignment = 64;

/** Compiles kernels.wasm, some 40 kB, in a few milliseconds; the module can be posted to threads. */
export function compileWasmKernels(): WebAssembly.Module {
  const file = new URL('./kernels.wasm', import.meta.url);
  try {
    return new WebAssembly.Module(readFileSync(file));
  } catch (cause) {
    throw new LockstepError('LOCKSTEP_KERNELS', `Expected compiled kernels at ${file.pathname}, but they are missing or broken; run "npm run build".`, { cause });
  }
}

/** The kernels over `arena`, with `kernelScratchBytes` of private scratch at `scratch`. Once per rank thread. */
export function createWasmKernels(module: WebAssembly.Module, arena: Arena, scratch: Address): Kernels {
  if (scratch <= 0 || scratch % scratchAlignment !== 0) {
    throw new LockstepError('LOCKSTEP_INTERNAL', `Expected the kernels' scratch at a positive multiple of ${scratchAlignment}, got ${scratch}.`);
  }
  const { exports } = new WebAssembly.Instance(module, { env: { memory: arena.memory } });
  const { setScratch, ...methods } = exports as unknown as Kernels & { setScratch(address: Address): void };
  setScratch(scratch);
  return { ...methods, set: 'wasm' };
}
