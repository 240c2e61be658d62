/**
 * Room: scripts (level 8). `lockstep doctor`: what this machine offers a run, measured, and how to get more of it.
 */
import { availableParallelism, cpus, freemem, totalmem } from 'node:os';
import { Command } from 'commander';
import { datasets } from '../../src/data/datasets.ts';
import { gemmForm, type Kernels, kernelScratchBytes } from '../../src/kernels/contract.ts';
import { openKernels, selectKernels } from '../../src/kernels/select.ts';
import { openInput } from '../../src/local/inputs.ts';
import { Arena } from '../../src/memory/arena.ts';
import { gibibytes, MemoryPlan } from '../../src/memory/plan.ts';

export function doctorCommand(): Command {
  return new Command('doctor').description('say what this machine offers a run, and how to get more of it').action(runDoctor);
}

async function runDoctor(): Promise<void> {
  const say = (name: string, text: string): void => void process.stdout.write(`${name.padEnd(14)}${text}\n`);
  say('node', `${process.version} on ${process.platform} ${process.arch}`);
  say('cores', `${availableParallelism()} (${cpus()[0]?.model.trim() ?? 'unknown'})`);
  say('memory', `${gibibytes(totalmem())}, ${gibibytes(freemem())} free; a host's arena takes at most 4.00 GiB`);
  for (const set of ['wasm', 'auto'] as const) {
    const selection = selectKernels(set);
    if (set === 'auto') say('kernels', selection.reason);
    if (set === 'wasm' || selection.set === 'blas') {
      const scratch = new MemoryPlan().reserve('scratch', kernelScratchBytes);
      const arena = Arena.create(2 ** 24);
      say(set === 'wasm' ? 'wasm' : '', `${selection.set}: ${gemmRate(openKernels(selection, arena, scratch)).toFixed(0)} GFLOP/s a core on (512, 784) x (784, 300)`);
    }
  }
  for (const [name, data] of [
    ['mnist', datasets.mnist()],
    ['fashionMnist', datasets.fashionMnist()],
  ] as const) {
    try {
      say(name, `${(await openInput(data.train, name)).length.toLocaleString('en-US')} training rows found`);
    } catch (error) {
      say(name, error instanceof Error ? error.message : String(error));
    }
  }
}

/** The best of a few products of the example network's largest layer, in GFLOP/s. */
function gemmRate(kernels: Kernels): number {
  const [m, n, k] = [512, 300, 784];
  const a = 2 ** 22;
  let best = 0;
  for (let i = 0; i < 10; i++) {
    const began = performance.now();
    kernels.gemm(gemmForm.NN, m, n, k, a, a + 4 * m * k, a + 4 * (m * k + k * n));
    best = Math.max(best, (2 * m * n * k) / (performance.now() - began) / 1e6);
  }
  return best;
}
