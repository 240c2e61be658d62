/**
 * Room: scripts (level 8). `lockstep evaluate CONFIG --weights F`: loss and metrics over the validation data.
 */
import { Command } from 'commander';
import { LockstepError } from '../../src/errors.ts';
import { evaluate } from '../../src/local/evaluate.ts';
import { openInput } from '../../src/local/session.ts';
import { Model } from '../../src/model/model.ts';
import { configWith, kernelsOption, shardsOption, workersOption } from './options.ts';

interface EvaluateFlags {
  readonly weights: string;
  readonly split: 'train' | 'validation';
  readonly workers?: number;
  readonly shards?: number;
  readonly kernels?: 'auto' | 'wasm' | 'blas';
  readonly json?: boolean;
}

export function evaluateCommand(): Command {
  return new Command('evaluate')
    .description("loss and metrics of trained weights over the config's validation data, or its training data if it has no other")
    .argument('<config>', 'the config file (JSON)')
    .requiredOption('--weights <file>', 'the weights (safetensors)')
    .addOption(workersOption())
    .addOption(shardsOption())
    .addOption(kernelsOption())
    .option('--json', 'print one JSON object')
    .action(runEvaluate);
}

async function runEvaluate(path: string, flags: EvaluateFlags): Promise<void> {
  const config = configWith(path, flags);
  const { model: modelConfig, data, loss, metrics, batchSize, validationBatchSize, workers, shards, kernels } = config;
  const input = data.validation ?? data.train;
  if (!input) throw new LockstepError('LOCKSTEP_CONFIG', 'Expected `data` to have data to evaluate on, got none; add `data.validation`.');
  const source = openInput(input, 'data');
  const model = new Model(modelConfig);
  model.build(source.inputShape);
  model.load(flags.weights);
  const result = await evaluate({
    model,
    data: source,
    loss,
    metrics,
    batchSize: validationBatchSize ?? batchSize,
    kernels,
    ...(workers !== undefined && { workers }),
    ...(shards !== undefined && { shards }),
  });
  if (flags.json) {
    process.stdout.write(`${JSON.stringify({ ...result, weightsSha256: model.weightsSha256 })}\n`);
    return;
  }
  const metricsText = Object.entries(result.metrics).map(([name, value]) => `  ${name} ${name === 'accuracy' ? `${(100 * value).toFixed(2)} %` : value.toFixed(4)}`);
  process.stdout.write(`${source.name}: ${result.samples.toLocaleString('en-US')} samples  loss ${result.loss.toFixed(4)}${metricsText.join('')}\n`);
}
