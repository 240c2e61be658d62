/**
 * Room: tests of kernels. The choice of a kernel set: what is taken, what is said, what is refused, and that the decision
 * works in another thread.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import test from 'ava';
import { loadBlas } from '../../src/kernels/blas.ts';
import { kernelScratchBytes } from '../../src/kernels/contract.ts';
import { openKernels, selectKernels } from '../../src/kernels/select.ts';
import { Arena } from '../../src/memory/arena.ts';

const blas = loadBlas();

test('wasm asked for is taken', async (t) => {
  const selection = selectKernels('wasm');
  t.is(selection.set, 'wasm');
  t.is(selection.reason, 'wasm: asked for.');
  t.is(selection.blasPath, undefined);
});

test('auto takes a BLAS that is there, and else says how to get one', async (t) => {
  const selection = selectKernels('auto');
  t.is(selection.set, blas.ok ? 'blas' : 'wasm');
  t.regex(selection.reason, blas.ok ? /^blas: .+, one thread a rank\.$/ : /^wasm: no fast BLAS was found; .+\.$/);
  t.false(selection.reason.includes('\n'));
});

test('blas asked for is taken or refused with a mend', async (t) => {
  if (blas.ok) {
    const selection = selectKernels('blas');
    t.is(selection.set, 'blas');
    t.is(selection.blasPath, blas.path);
  } else {
    const error = t.throws(() => selectKernels('blas'), { code: 'LOCKSTEP_KERNELS' });
    t.regex(error.message, /^Expected a fast BLAS for the kernels "blas", got none \(.+\); .+, or use "auto"\.$/);
  }
});

test('loadBlas names every library that it refused', (t) => {
  const library = loadBlas(['libno-such-blas.so', 'libneither.so']);
  t.false(library.ok);
  t.regex(library.ok ? '' : library.reason, /libno-such-blas\.so: .+; libneither\.so: .+/);
});

test('a BLAS that no longer loads in a rank is refused', async (t) => {
  const { module } = selectKernels('wasm');
  const arena = Arena.create(2 * kernelScratchBytes);
  const selection = { set: 'blas', reason: '', module, blasPath: 'libno-such-blas.so' } as const;
  const error = t.throws(() => openKernels(selection, arena, 64), { code: 'LOCKSTEP_KERNELS' });
  t.regex(error.message, /^Expected the BLAS that the run selected to load in every rank, but it did not \(.+\); use the kernels "wasm"\.$/);
});

test('a selection works in another thread and gives the same bits there', async (t) => {
  for (const choice of ['wasm', 'auto'] as const) {
    const selection = selectKernels(choice);
    const arena = Arena.create(8 * 2 ** 20);
    const [scratchHere, scratchThere, a, b, here, there] = [64, 64 + kernelScratchBytes, 5e6, 5.5e6, 6e6, 6.5e6];
    for (let i = 0; i < 20 * 30; i++) arena.f32[(a >>> 2) + i] = arena.f32[(b >>> 2) + i] = Math.fround(1 / (i + 3));
    openKernels(selection, arena, scratchHere).gemm(0, 20, 20, 30, a, b, here);
    const worker = new Worker(new URL('./rank.js', import.meta.url), { workerData: { selection, memory: arena.memory, scratch: scratchThere, a, b, c: there } });
    const [code] = (await once(worker, 'exit')) as [number];
    t.is(code, 0);
    t.deepEqual(arena.f32.slice(there >>> 2, (there >>> 2) + 400), arena.f32.slice(here >>> 2, (here >>> 2) + 400));
    t.not(arena.f32[there >>> 2], 0);
  }
});
