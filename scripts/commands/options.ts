/**
 * Room: scripts (level 8). Options that several commands take, and how their words become values.
 */
import { InvalidArgumentError, Option } from 'commander';
import { readRunConfig } from '../../src/config/file.ts';
import { parseRunConfig } from '../../src/config/parse.ts';
import { rowsPerStep } from '../../src/config/resolve.ts';
import type { RunConfig } from '../../src/config/run.ts';

/** Parser of an option that is an integer >= min. */
export function integer(min: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < min) throw new InvalidArgumentError(`Expected an integer >= ${min}.`);
    return value;
  };
}

export const workersOption = (): Option =>
  new Option('--workers <n>', 'worker threads; with the same --shards they never change the result (default: one a core)').argParser(integer(1));
/** A coordinator may have none: that is said by 0, and only there. */
export const trainWorkersOption = (): Option => workersOption().argParser((text) => (text === '0' ? 0 : integer(1)(text)));
export const shardsOption = (): Option =>
  new Option('--shards <s>', 'slices of the global batch; part of the result (default: as many as workers)').argParser(integer(1));
export const kernelsOption = (): Option => new Option('--kernels <set>', 'what computes').choices(['auto', 'wasm', 'blas']);
export const stepsOption = (): Option => new Option('--steps <n>', 'stop after so many steps in all').argParser(integer(1));
export const epochsOption = (): Option => new Option('--epochs <n>', 'passes over the training data').argParser(integer(1));
export const seedOption = (): Option => new Option('--seed <n>', 'everything random follows from it').argParser(integer(0));

/** The settings of a config that options may override. */
export type Overrides = { readonly [Key in 'workers' | 'shards' | 'kernels' | 'steps' | 'epochs' | 'seed']?: RunConfig[Key] | undefined };

/**
 * The config file with the options laid over it and checked anew. `--steps` without `--epochs` means exactly so many
 * steps, however many epochs they take, and `--epochs` without `--steps` exactly so many epochs: of the two the config's
 * own counts only when neither is given.
 */
export function configWith(path: string, flags: Overrides): RunConfig {
  return overridden(readRunConfig(path), flags);
}

/** The same for a config that was read. */
export function overridden(config: RunConfig, { workers, shards, kernels, steps, epochs, seed }: Overrides): RunConfig {
  const overrides = Object.entries({ workers, shards, kernels, steps, epochs, seed }).filter(([, value]) => value !== undefined);
  const { epochs: _, steps: __, ...endless } = config;
  const base = steps === undefined && epochs === undefined ? config : endless;
  return parseRunConfig({ ...base, ...Object.fromEntries(overrides) });
}

/**
 * How evaluations and predictions of a config are computed: in the batches of its validation, for the same bits. Not through the config's own
 * check: it is about training, where every shard must have a row.
 */
export function computedWith(
  config: RunConfig,
  flags: Pick<Overrides, 'workers' | 'shards' | 'kernels'>,
): Pick<RunConfig, 'batchSize' | 'workers' | 'shards' | 'kernels'> {
  const { workers = config.workers, shards = config.shards, kernels = config.kernels } = flags;
  return { batchSize: config.validationBatchSize ?? rowsPerStep(config), workers, shards, kernels };
}
