/**
 * Room: scripts (level 8). `lockstep evaluate CONFIG --weights F`: loss and metrics over the validation data.
 */
import { Command } from 'commander';
import { readRunConfig } from '../../src/config/file.ts';
import { loadWeights } from '../../src/interop/files.ts';
import { evaluate } from '../../src/local/evaluate.ts';
import { openJudge } from '../../src/local/inputs.ts';
import { Model } from '../../src/model/model.ts';
import { named } from '../../src/telemetry/progress.ts';
import { computedWith, kernelsOption, shardsOption, workersOption } from './options.ts';

interface EvaluateFlags {
  readonly weights: string;
  readonly workers?: number;
  readonly shards?: number;
  readonly kernels?: 'auto' | 'wasm' | 'blas';
  readonly json?: boolean;
  readonly confusion?: boolean;
}

export function evaluateCommand(): Command {
  return new Command('evaluate')
    .description("loss and metrics of trained weights over the config's validation data, or its training data if it has no other")
    .argument('<config>', 'the config file (JSON)')
    .requiredOption('--weights <file>', 'the weights (safetensors, model.json, .keras, .h5)')
    .addOption(workersOption())
    .addOption(shardsOption())
    .addOption(kernelsOption())
    .option('--confusion', 'count the rows of each class by the class that is predicted')
    .option('--json', 'print one JSON object')
    .action(runEvaluate);
}

async function runEvaluate(path: string, flags: EvaluateFlags): Promise<void> {
  const config = readRunConfig(path);
  const { model: modelConfig, data, loss, metrics } = config;
  const source = await openJudge(data, config);
  const model = new Model(modelConfig);
  model.build(source.inputShape);
  await loadWeights(model, flags.weights);
  const result = await evaluate({
    model,
    data: source,
    loss,
    metrics,
    ...(flags.confusion && { confusionMatrix: true }),
    ...computedWith(config, flags),
  });
  if (flags.json) {
    process.stdout.write(`${JSON.stringify({ ...result, weightsSha256: model.weightsSha256 })}\n`);
    return;
  }
  const words = [`${source.name}: ${result.samples.toLocaleString('en-US')} samples`, `loss ${result.loss.toFixed(4)}`, ...named(result.metrics)];
  process.stdout.write(`${words.join('  ')}\n`);
  if (result.confusionMatrix) process.stdout.write(`\n${confusionTable(result.confusionMatrix)}\n`);
}

/** A line a class, a column a predicted class, each as wide as its widest number. */
function confusionTable(matrix: readonly (readonly number[])[]): string {
  const lines = [['class', ...matrix.map((_, c) => String(c))], ...matrix.map((row, c) => [String(c), ...row.map(String)])];
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  const body = lines.map((line) => line.map((cell, column) => cell.padStart(widths[column]!)).join('  '));
  return ['rows are classes, columns what was predicted', ...body].join('\n');
}
