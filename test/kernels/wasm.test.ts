/**
 * Room: tests of kernels. The WebAssembly set as a module: what it imports and exports, the memories it opens over, and
 * that it keeps to its scratch.
 */
import test from 'ava';
import { kernelScratchBytes } from '../../src/kernels/contract.ts';
import { createReferenceKernels } from '../../src/kernels/reference.ts';
import { compileWasmKernels, createWasmKernels } from '../../src/kernels/wasm.ts';
import { Arena } from '../../src/memory/arena.ts';

test('the kernels open over an arena of any size', async (t) => {
  const module = compileWasmKernels();
  for (const pages of [1, 40, 1000]) {
    t.notThrows(() => createWasmKernels(module, Arena.create(pages * 65_536), 64), `${pages} pages`);
  }
});

test('scratch that is not aligned is refused', async (t) => {
  const module = compileWasmKernels();
  t.throws(() => createWasmKernels(module, Arena.create(4 * 2 ** 20), 100), { code: 'LOCKSTEP_INTERNAL', message: /multiple of 64, got 100/ });
});

test('every method of the contract is there with its number of parameters', async (t) => {
  const arena = Arena.create(4 * 2 ** 20);
  const kernels = Object.entries(createWasmKernels(compileWasmKernels(), arena, 64));
  for (const [name, method] of Object.entries(createReferenceKernels(arena))) {
    const actual = kernels.find(([key]) => key === name)?.[1];
    if (name === 'set') t.is(actual, 'wasm');
    else t.is((actual as { length?: number } | undefined)?.length, (method as { length: number }).length, name);
  }
});

test('gemm with its largest blocks writes to its scratch and to c only', async (t) => {
  const arena = Arena.create(16 * 2 ** 20);
  const scratch = 2 ** 20;
  const kernels = createWasmKernels(compileWasmKernels(), arena, scratch);
  const [m, n, k] = [125, 520, 400] as const;
  const [a, b, c] = [4 * 2 ** 20, 8 * 2 ** 20, 12 * 2 ** 20] as const;
  const guard = 0xa5;
  const kept = [
    [0, scratch],
    [scratch + kernelScratchBytes, c],
    [c + m * n * 4, arena.u8.length],
  ] as const;
  for (const [start, end] of kept) arena.u8.fill(guard, start, end);
  kernels.gemm(0, m, n, k, a, b, c);
  kernels.gemm(2, m, n, k, a, b, c);
  for (const [start, end] of kept)
    t.true(
      arena.u8.subarray(start, end).every((byte) => byte === guard),
      `${start} to ${end}`,
    );
});
