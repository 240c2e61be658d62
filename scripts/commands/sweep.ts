/**
 * Room: scripts (level 8). `lockstep sweep CONFIG --vary KEY=V1,V2`: trains variants of a config one after the other and compares them.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { readConfigValue, runConfigOf } from '../../src/config/file.ts';
import { field } from '../../src/config/rules.ts';
import type { RunConfig } from '../../src/config/run.ts';
import { isLockstepError, LockstepError } from '../../src/errors.ts';
import { Model } from '../../src/model/model.ts';
import type { Output } from '../../src/telemetry/progress.ts';
import { checkWritable, openMend, refused } from '../../src/telemetry/refused.ts';
import { type RunCurves, thinnedRun } from '../plot/curves.ts';
import { jsonOf, leastOf, type Row, tableOf } from '../sweep/rows.ts';
import { runVariant } from '../sweep/run.ts';
import { laidOver, parseVary, type Variant, type Vary, variantsOf } from '../sweep/vary.ts';
import { interruption } from './interruption.ts';
import { epochsOption, kernelsOption, type Overrides, overridden, seedOption, shardsOption, stepsOption, workersOption } from './options.ts';
import { mostPoints, writePlot } from './plot.ts';

interface SweepFlags extends Overrides {
  readonly vary: readonly Vary[];
  readonly out?: string;
  readonly logDir?: string;
  readonly json?: boolean;
}

/** `unheard` is aborted when whoever reads our output has gone away: the sweep then ends as for a signal. */
export function sweepCommand(unheard: AbortSignal): Command {
  return new Command('sweep')
    .description('train variants of a config one after the other and compare them')
    .argument('<config>', 'the config file (JSON)')
    .addOption(
      new Option('--vary <key=values>', 'a key of the config and its values, like optimizer.learningRate=0.1,0.01; several: all combinations')
        .argParser((text, before: readonly Vary[] = []) => [...before, parseVary(text)])
        .makeOptionMandatory(),
    )
    .option('--out <file>', 'plot all variants over each other (SVG)')
    .option('--log-dir <dir>', 'where the log of each variant goes (as of train --log)')
    .addOption(workersOption())
    .addOption(shardsOption())
    .addOption(kernelsOption())
    .addOption(stepsOption())
    .addOption(epochsOption())
    .addOption(seedOption())
    .option('--json', 'print one JSON object a variant, a line each')
    .action((path: string, flags: SweepFlags) => runSweep(path, flags, unheard));
}

interface Prepared {
  readonly variant: Variant;
  readonly config: RunConfig;
}

async function runSweep(path: string, flags: SweepFlags, unheard: AbortSignal): Promise<void> {
  const { vary, out, logDir, json } = flags;
  checkFlags(flags);
  const value = readConfigValue(path);
  const prepared = variantsOf(vary).map((variant) => ({ variant, config: configOf(value, path, variant, flags) }));
  if (out !== undefined) checkWritable('the plot', out);
  if (logDir !== undefined) openFolder(logDir);
  const output: Output = {
    write: (text) => void (json || process.stdout.write(text)),
    columns: process.stdout.isTTY ? process.stdout.columns || 80 : undefined,
  };
  let say = (text: string): void => void output.write(`${text}\n`);
  const { signal, rest, release } = interruption((text) => say(text));
  const ends = AbortSignal.any([signal, unheard]);
  const rows: Row[] = [];
  const curves: RunCurves[] = [];
  const errors: unknown[] = [];
  try {
    for (const [i, { variant, config }] of prepared.entries()) {
      if (ends.aborted) break;
      const log = logDir === undefined ? undefined : join(logDir, logName(variant, i, prepared.length));
      const result = await runVariant({ variant, config, place: `${i + 1} of ${prepared.length}`, signal: ends, output, log, onSay: (line) => (say = line) });
      rows.push(result.row);
      curves.push(thinnedRun(result.curves, mostPoints));
      if (json) process.stdout.write(`${jsonOf(result.row)}\n`);
    }
  } catch (error) {
    errors.push(ofVariant(error, prepared[rows.length]!.variant));
  } finally {
    rest();
    release();
  }
  // What is done is worth telling, whatever befell the next one; the first error is what the command ends with.
  if (rows.length > 0) output.write(`\n${summaryOf(vary, rows, prepared)}\n`);
  try {
    if (out !== undefined && curves.some(({ training }) => training.size > 0)) {
      writePlot(out, curves);
      output.write(`wrote ${out}\n`);
    }
  } catch (error) {
    errors.push(error);
  }
  if (errors.length > 0) throw errors[0];
}

/** What an option says of all variants cannot differ between them. */
function checkFlags(flags: SweepFlags): void {
  const extent = flags.steps !== undefined || flags.epochs !== undefined ? (['steps', 'epochs'] as const) : [];
  const set = [...(['workers', 'shards', 'kernels', 'seed'] as const).filter((name) => flags[name] !== undefined), ...extent];
  for (const { key } of flags.vary) {
    const name = set.find((each) => each === key);
    if (name === undefined) continue;
    const option = flags[name] === undefined ? (name === 'steps' ? 'epochs' : 'steps') : name;
    throw new LockstepError(
      'LOCKSTEP_USAGE',
      `Expected \`--vary ${key}\` or \`--${option}\`, got both, of which the second would undo the first; leave one of them out.`,
    );
  }
}

/** The config of a variant, checked before anything runs. */
function configOf(value: unknown, path: string, variant: Variant, flags: SweepFlags): RunConfig {
  try {
    const config = overridden(runConfigOf(laidOver(value, variant), path), flags);
    new Model(config.model);
    checkAbsentKeys(value, path, variant);
    return config;
  } catch (error) {
    throw ofVariant(error, variant);
  }
}

/**
 * A key that is taken away is missed by no check, so a misspelt one would go unseen. One that the config does not have is tried with a value that is
 * never right: what is wrong must not be the key.
 */
function checkAbsentKeys(config: unknown, path: string, { settings }: Variant): void {
  for (const setting of settings) {
    const isThere = setting.path.reduce(field, config) !== undefined;
    if (isThere || setting.value !== undefined) continue;
    const tried = settings.map((each) => (each === setting ? { ...each, value: null } : each));
    try {
      runConfigOf(laidOver(config, { settings: tried }), path);
    } catch (error) {
      const unknown = isLockstepError(error) && error.message.split('\n').find((line) => line.startsWith('Unknown key'));
      if (unknown) throw new LockstepError('LOCKSTEP_CONFIG', unknown);
    }
  }
}

/** The same error, each sentence beginning with the variant that it is of. */
function ofVariant(error: unknown, { name }: Variant): unknown {
  if (!isLockstepError(error)) return error;
  const sentences = error.message.split('\n').map((line) => `Variant ${name}: ${line}`);
  return new LockstepError(error.code, sentences.join('\n'), { cause: error });
}

function openFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (cause) {
    throw refused('the logs of variants to', path, cause, openMend);
  }
  checkWritable('the logs of variants to', join(path, 'a'));
}

/** So many characters of a variant at most: file systems take 255 bytes. */
const longestName = 100;

/** In the order of variants, and a name for every file system: `02-globalClipnorm=0.1.jsonl`. */
function logName({ label }: Variant, i: number, count: number): string {
  const number = String(i + 1).padStart(String(count).length, '0');
  return `${number}-${label
    .replaceAll(', ', ',')
    .replaceAll(/[^\w.,=+-]/g, '_')
    .slice(0, longestName)}.jsonl`;
}

function summaryOf(varied: readonly Vary[], rows: readonly Row[], prepared: readonly Prepared[]): string {
  const lines = [tableOf(varied, rows)];
  const least = leastOf(rows);
  if (least) lines.push(`least ${least.name}: ${least.value.toPrecision(4)} of ${least.variant.name}`);
  const left = prepared.length - rows.length;
  if (left > 0) lines.push(`not in the table: ${left} of ${prepared.length} variants`);
  if (prepared.some(({ config }) => config.earlyStopping?.restoreBestWeights))
    lines.push('where early stopping restores the best weights, the numbers are those of their epoch');
  return lines.join('\n');
}
