/**
 * Room: tests of kernels. What the thread of `select.test.ts` runs: opens the selection that it was posted and multiplies
 * (20, 30) by (30, 20).
 */
import { workerData } from 'node:worker_threads';
import type { KernelSelection } from '../../src/kernels/select.ts';
import { openKernels } from '../../src/kernels/select.ts';
import { Arena } from '../../src/memory/arena.ts';

interface Work {
  readonly selection: KernelSelection;
  readonly memory: WebAssembly.Memory;
  readonly scratch: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

const { selection, memory, scratch, a, b, c } = workerData as Work;
openKernels(selection, new Arena(memory), scratch).gemm(0, 20, 20, 30, a, b, c);
