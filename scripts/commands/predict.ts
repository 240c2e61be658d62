/**
 * Room: scripts (level 8). `lockstep predict CONFIG --weights F --out F`: the model's outputs for rows of a file, or of the validation data.
 */
import { closeSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { extname } from 'node:path';
import { Command } from 'commander';
import { readRunConfig } from '../../src/config/file.ts';
import { type Learnt, learntFrom } from '../../src/data/learnt.ts';
import { encodeNpy } from '../../src/data/npy.ts';
import { openRows } from '../../src/data/rows.ts';
import { needsTraining } from '../../src/data/sets.ts';
import { LockstepError } from '../../src/errors.ts';
import { loadWeights } from '../../src/interop/files.ts';
import { openInputs, openJudge } from '../../src/local/inputs.ts';
import { predict } from '../../src/local/predict.ts';
import { lossOf } from '../../src/losses/loss.ts';
import { Model } from '../../src/model/model.ts';
import type { Predictions } from '../../src/model/predict.ts';
import { computedWith, kernelsOption, shardsOption, workersOption } from './options.ts';

interface PredictFlags {
  readonly weights: string;
  readonly input?: string;
  readonly out: string;
  readonly workers?: number;
  readonly shards?: number;
  readonly kernels?: 'auto' | 'wasm' | 'blas';
}

export function predictCommand(): Command {
  return new Command('predict')
    .description("the model's outputs for the rows of a file, or of the config's validation data")
    .argument('<config>', 'the config file (JSON)')
    .requiredOption('--weights <file>', 'the weights (safetensors, model.json, .keras, .h5)')
    .option('--input <file>', 'rows in the format of the training data, with or without labels, or an npy file')
    .requiredOption('--out <file>', 'where predictions go: .npy, .csv or .jsonl')
    .addOption(workersOption())
    .addOption(shardsOption())
    .addOption(kernelsOption())
    .action(runPredict);
}

async function runPredict(path: string, flags: PredictFlags): Promise<void> {
  const format = extname(flags.out);
  if (!['.npy', '.csv', '.jsonl'].includes(format)) {
    throw new LockstepError('LOCKSTEP_USAGE', `Expected \`--out\` to end in .npy, .csv or .jsonl, got \`${flags.out}\`; the ending says the format.`);
  }
  const config = readRunConfig(path);
  const { model: modelConfig, data, loss } = config;
  // Training data are read only where they taught something; those of the config come with it done to them.
  const learnt: Learnt = needsTraining(data.train, config) ? learntFrom((await openInputs(data, config)).train) : {};
  const source = flags.input === undefined ? await openJudge(data, config) : await openRows(flags.input, data.train, learnt.texts);
  const model = new Model(modelConfig);
  model.build(source.inputShape);
  await loadWeights(model, flags.weights);
  const predictions = await predict({
    model,
    data: source,
    ...(flags.input !== undefined && { learnt }),
    ...computedWith(config, flags),
  });
  const isOverClasses = lossOf(loss).labels === 'class' && predictions.data.length > predictions.shape[0]!;
  write(flags.out, contents(format, predictions, isOverClasses ? (learnt.texts?.classes ?? []) : undefined));
  process.stdout.write(`${source.name}: ${predictions.shape[0]!.toLocaleString('en-US')} predictions written to ${flags.out}\n`);
}

/** Through a file beside it: who reads it sees all or nothing. */
function write(path: string, pieces: Iterable<string | Uint8Array>): void {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    const file = openSync(temporary, 'w');
    try {
      for (const piece of pieces) {
        const bytes = typeof piece === 'string' ? Buffer.from(piece) : piece;
        for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
      }
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (cause) {
    rmSync(temporary, { force: true });
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    throw new LockstepError(
      'LOCKSTEP_FILE',
      `Expected to write predictions to \`${path}\`, but the system refused (${code}); check that its folder exists and can be written.`,
      {
        cause,
      },
    );
  }
}

/** `classes` are the names of classes, empty when they have none; absent when outputs are no classes. */
function* contents(format: string, predictions: Predictions, classes: readonly string[] | undefined): Generator<string | Uint8Array> {
  const { shape, data } = predictions;
  if (format === '.npy') {
    yield encodeNpy(shape, data);
    return;
  }
  const size = data.length / shape[0]!;
  const name = (output: number): string => classes?.[output] ?? String(output);
  if (format === '.csv') yield `${[...(classes ? ['class'] : []), ...Array.from({ length: size }, (_, i) => quoted(classes ? name(i) : `output_${i}`))].join(',')}\n`;
  const best = classes ? predictions.argMax() : undefined;
  for (let row = 0; row < shape[0]!; row++) {
    const outputs = Array.from(data.subarray(row * size, (row + 1) * size), shortest);
    const found = best?.[row];
    if (format === '.csv') yield `${[...(found === undefined ? [] : [quoted(name(found))]), ...outputs].join(',')}\n`;
    else yield `{${found === undefined ? '' : `"class":${classes!.length > 0 ? JSON.stringify(name(found)) : found},`}"outputs":[${outputs.join(',')}]}\n`;
  }
}

/** The shortest text that is this float32; JSON has no word for what is not finite. */
function shortest(value: number): string {
  if (!Number.isFinite(value)) return 'null';
  for (let digits = 6; digits < 9; digits++) {
    const text = String(Number(value.toPrecision(digits)));
    if (Math.fround(Number(text)) === value) return text;
  }
  return String(Number(value.toPrecision(9)));
}

function quoted(text: string): string {
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
