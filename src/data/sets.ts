/**
 * Room: data (level 3). The two sets of a run, opened in the order in which they depend on each other: what training data teach
 * (names of classes, categories, statistics) holds for the validation data, too. It promises the same rows on every machine: nothing
 * but the data, the settings and the seed decides.
 */
import { LockstepError } from '../errors.ts';
import { learnNormalization, normalized } from './normalize.ts';
import type { DataSource, Normalization, Texts } from './source.ts';
import { type SplitOptions, splitRows } from './split.ts';

export interface Sets {
  readonly train: DataSource;
  readonly validation?: DataSource | undefined;
}

/** What is done to rows once they are read. */
export interface Preparation {
  /** The share of the training data that is kept for validation. */
  readonly validationSplit?: number | undefined;
  readonly stratify?: boolean | undefined;
  readonly seed: number;
}

/** Sets as they are described; `T` is a config, or whatever else `open` takes. */
export interface SetInputs<T> {
  readonly train: T;
  readonly validation?: T | undefined;
}

/** Opens one set, whose texts become what `texts` says, if that is there. `place` is what messages call it. */
export type OpenSet<T> = (input: T, place: string, texts?: Texts) => DataSource | Promise<DataSource>;

/** Opens both sets and prepares them. Throws what `open` throws, and LOCKSTEP_CONFIG or LOCKSTEP_DATA where they do not fit the preparation. */
export async function openSets<T extends object>(
  { train: trainInput, validation: validationInput }: SetInputs<T>,
  preparation: Preparation,
  open: OpenSet<T>,
): Promise<Sets> {
  if (validationInput !== undefined) checkValidation(validationInput, preparation);
  const whole = await open(trainInput, 'data.train');
  const given = validationInput && (await open(validationInput, 'data.validation', whole.texts ?? { columns: {} }));
  const { validationSplit: fraction, stratify = false, seed } = preparation;
  const { train, validation } = fraction === undefined ? { train: whole, validation: given } : splitRows(whole, { fraction, stratify, seed } satisfies SplitOptions);
  const kind = normalizeOf(trainInput);
  if (kind === undefined) return { train, ...(validation && { validation }) };
  const normalization = learnNormalization(train, kind);
  return { train: normalized(train, normalization), ...(validation && { validation: normalized(validation, normalization) }) };
}

/** True when the validation data can be opened only after the training data. */
export function needsTraining(train: object, { validationSplit }: Pick<Preparation, 'validationSplit'>): boolean {
  const teachesTexts = 'format' in train && ['csv', 'jsonl', 'parquet', 'images'].includes(String(train.format));
  return teachesTexts || validationSplit !== undefined || normalizeOf(train) !== undefined;
}

function checkValidation(input: object, { validationSplit }: Preparation): void {
  if (validationSplit !== undefined) {
    throw new LockstepError('LOCKSTEP_CONFIG', 'Expected `validationSplit` or `data.validation`, got both; leave one out.');
  }
  if (normalizeOf(input) !== undefined) {
    throw new LockstepError(
      'LOCKSTEP_CONFIG',
      `Expected \`normalize\` in \`data.train\` alone, got it in \`data.validation\`; leave it out: what the training data teach is applied to both.`,
    );
  }
}

function normalizeOf(input: object): Normalization['kind'] | undefined {
  return 'normalize' in input ? (input.normalize as Normalization['kind'] | undefined) : undefined;
}
