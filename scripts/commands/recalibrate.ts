/**
 * Room: scripts (level 8). `lockstep recalibrate CONFIG --weights F --out F`: statistics of batch normalisations over the training data, in the place of moving averages.
 */
import { Command } from 'commander';
import { readRunConfig } from '../../src/config/file.ts';
import { rowsPerStep } from '../../src/config/resolve.ts';
import { loadWeights, saveModel } from '../../src/interop/files.ts';
import { freezing } from '../../src/local/freezing.ts';
import { openInputs } from '../../src/local/inputs.ts';
import { recalibrate } from '../../src/local/recalibrate.ts';
import { Model } from '../../src/model/model.ts';
import { computedWith, kernelsOption, shardsOption, workersOption } from './options.ts';

interface RecalibrateFlags {
  readonly weights: string;
  readonly out: string;
  readonly workers?: number;
  readonly shards?: number;
  readonly kernels?: 'auto' | 'wasm' | 'blas';
}

export function recalibrateCommand(): Command {
  return new Command('recalibrate')
    .description('compute the statistics of batch normalizations anew, over all training data')
    .argument('<config>', 'the config file (JSON)')
    .requiredOption('--weights <file>', 'the weights (safetensors, model.json, .keras, .h5)')
    .requiredOption('--out <file>', 'where the model goes: .safetensors, .onnx, model.json or a folder (TensorFlow.js)')
    .addOption(workersOption())
    .addOption(shardsOption())
    .addOption(kernelsOption())
    .action(runRecalibrate);
}

async function runRecalibrate(path: string, flags: RecalibrateFlags): Promise<void> {
  const config = readRunConfig(path);
  const { train: data } = await openInputs(config.data, config);
  const model = new Model(config.model);
  model.build(data.inputShape);
  await loadWeights(model, flags.weights);
  // Layers that the run never trains computed with their moving statistics, and do so here.
  const names = model.topology.layers.map(({ name }) => name);
  const frozen = new Model(freezing(config.model, names, config.freeze).config);
  frozen.build(data.inputShape);
  frozen.setWeights(model.getWeights());
  const { samples, weightsSha256 } = await recalibrate({ model: frozen, data, ...computedWith(config, flags), batchSize: rowsPerStep(config) });
  model.setWeights(frozen.getWeights());
  await saveModel(model, flags.out);
  process.stdout.write(`${data.name}: statistics of ${samples.toLocaleString('en-US')} rows written to ${flags.out}, weights ${weightsSha256}\n`);
}
