/**
 * Room: scripts (level 8). `lockstep convert IN OUT`: a model file in another format.
 */
import { Command } from 'commander';
import { loadModel, saveModel } from '../../src/interop/files.ts';

export function convertCommand(): Command {
  return new Command('convert')
    .description('write a model in another format; the formats follow from the endings of the names')
    .argument('<in>', 'the model: .safetensors, model.json or its folder (TensorFlow.js), .keras, .h5')
    .argument('<out>', 'what is written: .safetensors, .onnx, model.json or a folder (TensorFlow.js)')
    .action(runConvert);
}

async function runConvert(from: string, to: string): Promise<void> {
  const model = await loadModel(from);
  await saveModel(model, to);
  const { layers } = model.topology;
  process.stdout.write(`${to}: ${layers.length} layers, ${model.countParams().total.toLocaleString('en-US')} parameters, weights ${model.weightsSha256}\n`);
}
