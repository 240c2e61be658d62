/**
 * Room: scripts (level 8). `lockstep summary CONFIG [--memory]`: the model's table, and what a run of it needs.
 */
import { Command } from 'commander';
import { rowsPerStep } from '../../src/config/resolve.ts';
import { openInputs } from '../../src/local/inputs.ts';
import { planSpecFor } from '../../src/local/session.ts';
import { gibibytes } from '../../src/memory/plan.ts';
import { Model } from '../../src/model/model.ts';
import { planRun } from '../../src/model/plan.ts';
import { roomOf } from '../../src/optimizers/room.ts';
import { configWith, shardsOption, workersOption } from './options.ts';

interface SummaryFlags {
  readonly memory?: boolean;
  readonly workers?: number;
  readonly shards?: number;
}

export function summaryCommand(): Command {
  return new Command('summary')
    .description("print the model's layers, shapes and parameters")
    .argument('<config>', 'the config file (JSON)')
    .option('--memory', 'print the memory plan of a run too')
    .addOption(workersOption())
    .addOption(shardsOption())
    .action(runSummary);
}

async function runSummary(path: string, flags: SummaryFlags): Promise<void> {
  const config = configWith(path, flags);
  const model = new Model(config.model);
  // Data is opened only where it is needed: a model that declares its input shape can be looked at without any.
  const needsData = flags.memory || !config.model.layers[0]?.inputShape;
  const sets = needsData ? await openInputs(config.data, config) : undefined;
  if (sets) model.build(sets.train.inputShape);
  model.summary();
  if (!flags.memory || !sets) return;

  const { train, validation } = sets;
  const spec = planSpecFor({
    model,
    loss: config.loss,
    settings: { ...config, batchSize: rowsPerStep(config) },
    ...roomOf(config.optimizer),
    train,
    ...(validation && { validation }),
  });
  const { memory } = planRun(spec);
  const rows = [...memory.bytesByKind].map(([kind, bytes]) => `  ${kind.padEnd(14)}${bytes.toLocaleString('en-US').padStart(15)} bytes`);
  process.stdout.write(`Memory of one host with ${spec.ranks} workers, ${gibibytes(memory.bytes)}:\n${rows.join('\n')}\n`);
}
