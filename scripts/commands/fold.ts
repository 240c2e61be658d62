/**
 * Room: scripts (level 8). `lockstep fold CONFIG --weights F --out F`: the model for inference without the normalisations that can be part of another layer, what
 * became of each, and both models over the same rows: how far apart, and how fast.
 */
import { Command } from 'commander';
import { readRunConfig } from '../../src/config/file.ts';
import type { DataSource } from '../../src/data/source.ts';
import { loadWeights, saveModel } from '../../src/interop/files.ts';
import { openJudge } from '../../src/local/inputs.ts';
import { sizeOf } from '../../src/memory/shape.ts';
import { Model } from '../../src/model/model.ts';

interface FoldFlags {
  readonly weights: string;
  readonly out: string;
}

/** Rows that the two models are compared by, at most, and how often each computes them. */
const [mostRows, repetitions] = [1000, 9];

export function foldCommand(): Command {
  return new Command('fold')
    .description('make batch normalizations part of the dense layers beside them, for inference')
    .argument('<config>', 'the config file (JSON)')
    .requiredOption('--weights <file>', 'the weights (safetensors, model.json, .keras, .h5)')
    .requiredOption('--out <file>', 'where the folded model goes: .safetensors, .onnx, model.json or a folder (TensorFlow.js)')
    .action(runFold);
}

async function runFold(path: string, { weights, out }: FoldFlags): Promise<void> {
  const config = readRunConfig(path);
  const source = await openJudge(config.data, config);
  const whole = new Model(config.model);
  whole.build(source.inputShape);
  await loadWeights(whole, weights);
  const { model, folded, kept } = whole.fold();
  await saveModel(model, out);
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  for (const { layer, into } of folded) say(`${layer}: folded into ${into}`);
  for (const { layer, reason } of kept) say(`${layer}: kept, as ${reason}`);
  const rows = firstRows(source);
  const [before, after] = [whole, model].map((each) => each.predict(rows).data);
  const largest = before!.reduce((most, value, i) => Math.max(most, Math.abs(value - after![i]!)), 0);
  const [slow, quick] = medianSeconds([whole, model], rows);
  const count = rows.length / sizeOf(source.inputShape);
  const each = (seconds: number): string => `${((1e6 * seconds) / count).toFixed(2)} us`;
  say(
    `${count.toLocaleString('en-US')} rows of ${source.name}: outputs differ by at most ${largest.toExponential(1)}, ${each(slow!)} a row became ${each(quick!)}, ${(slow! / quick!).toFixed(2)} times as fast`,
  );
  say(`${out}: ${model.countParams().total.toLocaleString('en-US')} parameters of ${whole.countParams().total.toLocaleString('en-US')}`);
}

/** As the model is to see them. */
function firstRows(source: DataSource): Float32Array {
  const count = Math.min(mostRows, source.length);
  const size = count * sizeOf(source.inputShape);
  const stored = source.inputType === 'uint8' ? new Uint8Array(size) : new Float32Array(size);
  source.readRows(
    Int32Array.from({ length: count }, (_, i) => i),
    stored,
  );
  return Float32Array.from(stored, (value) => value / source.scale);
}

/** In turns, so that what else the machine does befalls both; the first round warms up. */
function medianSeconds(models: readonly Model[], rows: Float32Array): number[] {
  const seconds = models.map((): number[] => []);
  for (let round = 0; round <= repetitions; round++) {
    for (const [i, model] of models.entries()) {
      const began = performance.now();
      model.predict(rows);
      if (round > 0) seconds[i]!.push((performance.now() - began) / 1000);
    }
  }
  return seconds.map((each) => each.toSorted((a, b) => a - b)[repetitions >>> 1]!);
}
