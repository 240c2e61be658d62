/**
 * Room: scripts (level 8). `lockstep summary CONFIG [--memory]`: the model's table, and what a run of it needs.
 */
import { availableParallelism } from 'node:os';
import { Command } from 'commander';
import { openInput } from '../../src/local/session.ts';
import { lossOf } from '../../src/losses/loss.ts';
import { gibibytes } from '../../src/memory/plan.ts';
import { sizeOf } from '../../src/memory/shape.ts';
import { Model } from '../../src/model/model.ts';
import { planRun } from '../../src/model/plan.ts';
import { updateRule } from '../../src/optimizers/rule.ts';
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

function runSummary(path: string, flags: SummaryFlags): void {
  const config = configWith(path, flags);
  const model = new Model(config.model);
  // Data is opened only where it is needed: a model that declares its input shape can be looked at without any.
  const needsData = flags.memory || !config.model.layers[0]?.inputShape;
  const train = needsData ? openInput(config.data.train, 'data.train') : undefined;
  if (train) model.build(train.inputShape);
  model.summary();
  if (!flags.memory || !train) return;

  const validation = config.data.validation && openInput(config.data.validation, 'data.validation');
  const specOf = (source: NonNullable<typeof validation>) => ({
    length: source.length,
    inputShape: source.inputShape,
    inputType: source.inputType,
    scale: source.scale,
    targetSize: source.labels.kind === 'class' ? 0 : sizeOf(source.labels.shape),
  });
  const ranks = config.workers ?? Math.min(availableParallelism(), config.batchSize);
  lossOf(config.loss);
  const { memory } = planRun({
    model: config.model,
    inputShape: train.inputShape,
    loss: config.loss,
    shards: config.shards ?? ranks,
    ranks,
    batchRows: Math.max(config.batchSize, validation ? (config.validationBatchSize ?? config.batchSize) : 0),
    optimizerSlots: updateRule(config.optimizer).slots.length,
    train: specOf(train),
    ...(validation && { validation: specOf(validation) }),
  });
  const rows = [...memory.bytesByKind].map(([kind, bytes]) => `  ${kind.padEnd(14)}${bytes.toLocaleString('en-US').padStart(15)} bytes`);
  process.stdout.write(`Memory of one host with ${ranks} workers, ${gibibytes(memory.bytes)}:\n${rows.join('\n')}\n`);
}
