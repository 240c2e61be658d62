/**
 * Room: scripts (level 8). Two processes of Lockstep against two processes of PyTorch's DistributedDataParallel on the same network,
 * rows and machine, in turns. ddp.py says what each side computes.
 */
import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { follow, startCluster } from './cluster.ts';
import { inFolder, mnistFiles, typical, writeConfig } from './run.ts';
import { type Figure, median } from './stats.ts';

/** Debian's, as its package brings PyTorch. */
const python = '/usr/bin/python3';
const ddp = fileURLToPath(new URL('../../../scripts/bench/ddp.py', import.meta.url));

const deadlineMs = 120_000;

/** What Python sees: nothing that was set for another Python, and one thread of arithmetic. */
function pythonEnv(): NodeJS.ProcessEnv {
  const { PYTHONPATH: _path, PYTHONHOME: _home, ...env } = process.env;
  return { ...env, OPENBLAS_NUM_THREADS: '1', OMP_NUM_THREADS: '1' };
}

function torchVersion(): string | undefined {
  const { status, stdout } = spawnSync(python, ['-c', 'import numpy, torch; assert torch.distributed.is_gloo_available(); print(torch.__version__)'], {
    env: pythonEnv(),
    encoding: 'utf8',
  });
  return status === 0 ? stdout.trim() : undefined;
}

/** Seconds of a typical step of PyTorch. */
async function torchSeconds(batchSize: number, steps: number): Promise<number> {
  return await inFolder(async (folder) => {
    const { images, labels } = mnistFiles();
    const programs = [0, 1].map((rank) => {
      const args = [ddp, rank, 2, join(folder, 'rendezvous'), images, labels, batchSize, steps].map(String);
      return follow(`process ${rank} of PyTorch`, spawn(python, args, { env: pythonEnv(), stdio: ['ignore', 'pipe', 'pipe'] }));
    });
    try {
      const [output] = await Promise.all(programs.map((program) => program.succeeds(deadlineMs)));
      return typical(JSON.parse(output!) as number[]);
    } finally {
      for (const { child } of programs) child.kill('SIGKILL');
    }
  });
}

/** Seconds of a typical step of Lockstep. */
async function lockstepSeconds(config: string, steps: number): Promise<number> {
  const coordinator = `--workers 1 --shards 2 --kernels blas --topology mesh --steps ${steps}`.split(' ');
  const cluster = await startCluster({ config, hosts: 2, flags: (host) => (host === 0 ? coordinator : ['--workers', '1']) });
  try {
    const [log] = await cluster.succeeds(deadlineMs);
    return typical(log!.seconds);
  } finally {
    cluster.dispose();
  }
}

/** Samples a second of both, and their ratio, pair by pair. */
export async function peers(pairs = 5, steps = 800): Promise<Figure[]> {
  const version = torchVersion();
  if (version === undefined) {
    process.stdout.write(`  skipped: ${python} has no PyTorch; run \`apt-get install python3-torch\`\n`);
    return [];
  }
  const figures: Figure[] = [];
  for (const [batchSize, goal] of [
    [256, 2],
    [1024, 1.5],
  ] as const) {
    const [theirs, ours]: [number[], number[]] = [[], []];
    await inFolder(async (folder) => {
      const config = writeConfig(folder, { batchSize });
      for (let pair = 0; pair < pairs; pair++) {
        theirs.push(await torchSeconds(batchSize, steps));
        ours.push(await lockstepSeconds(config, steps));
      }
    });
    const name = `2 processes at batch ${batchSize}`;
    figures.push({ name: `${name}, PyTorch ${version} DDP over gloo`, value: batchSize / median(theirs) / 1000, unit: 'k samples/s' });
    figures.push({ name: `${name}, Lockstep`, value: batchSize / median(ours) / 1000, unit: 'k samples/s' });
    figures.push({ name: `${name}, Lockstep against PyTorch`, value: median(theirs.map((seconds, i) => seconds / ours[i]!)), unit: 'x', goal: { atLeast: goal } });
  }
  return figures;
}
