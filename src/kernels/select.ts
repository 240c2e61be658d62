/**
 * Room: kernels (level 2). Which kernel set a run uses: decided once in the main thread, opened in every rank.
 * It promises to say what was taken and why, and a decision that can be posted to threads. It never falls back in
 * silence: `blas` asked for and not there is an error, and `auto` on wasm says how to get the faster set.
 */
import { LockstepError } from '../errors.ts';
import type { Address, Arena } from '../memory/arena.ts';
import { createBlasKernels, loadBlas } from './blas.ts';
import type { KernelSetName, Kernels } from './contract.ts';
import { compileWasmKernels, createWasmKernels } from './wasm.ts';

/** What a run may ask for. */
export type KernelChoice = 'auto' | 'wasm' | 'blas';

/** The decision; structured-cloneable. */
export interface KernelSelection {
  readonly set: Exclude<KernelSetName, 'reference'>;
  /** One line: what was taken, why, and under `auto` on wasm how to get the faster set. */
  readonly reason: string;
  readonly module: WebAssembly.Module;
  /** The library a rank loads; only when `set` is blas. */
  readonly blasPath?: string;
}

/** Decides the kernel set. Throws LOCKSTEP_KERNELS when `blas` is asked for and cannot be had. */
export function selectKernels(choice: KernelChoice): KernelSelection {
  const module = compileWasmKernels();
  if (choice === 'wasm') return { set: 'wasm', reason: 'wasm: asked for.', module };
  const library = loadBlas();
  if (library.ok) {
    const reason = `blas: ${library.name} ${library.version} (${library.path}), one thread a rank${choice === 'blas' ? ', asked for' : ''}.`;
    return { set: 'blas', reason, module, blasPath: library.path };
  }
  switch (choice) {
    case 'auto':
      return { set: 'wasm', reason: `wasm: no fast BLAS was found; ${library.mend} for matrix products two to three times as fast.`, module };
    case 'blas':
      throw new LockstepError('LOCKSTEP_KERNELS', `Expected a fast BLAS for the kernels "blas", got none (${library.reason}); ${library.mend}, or use "auto".`);
    default:
      return choice satisfies never;
  }
}

/** The selected kernels over `arena`, in the calling thread, with `kernelScratchBytes` of scratch of its own at `scratch`. */
export function openKernels(selection: KernelSelection, arena: Arena, scratch: Address): Kernels {
  if (selection.set === 'wasm') return createWasmKernels(selection.module, arena, scratch);
  const library = loadBlas(selection.blasPath === undefined ? undefined : [selection.blasPath]);
  if (!library.ok) {
    throw new LockstepError(
      'LOCKSTEP_KERNELS',
      `Expected the BLAS that the run selected to load in every rank, but it did not (${library.reason}); use the kernels "wasm".`,
    );
  }
  return createBlasKernels(library, selection.module, arena, scratch);
}
