/**
 * Room: config (level 1). Where data may come from: files by `format`, or a named `dataset`. It never opens them;
 * `src/data/` does.
 */
import { z } from 'zod';
import { dataDefaults as d } from './defaults.ts';
import { choice, integer, positive, record, text, variantError } from './rules.ts';

const path = text.describe('A path, relative to the folder of the config file.');
/** The first rows only. */
const limit = integer(1).optional();
const imageScale = positive.default(d.imageScale);
const split = choice('train', 'test');

const dataWords = 'an object with a file `format` (idx) or the name of a `dataset` (mnist, fashionMnist)';

const fileSchema = z.discriminatedUnion(
  'format',
  [record(dataWords, { format: z.literal('idx'), images: path, labels: path, scale: positive.default(d.scale), limit })],
  variantError(dataWords, 'a supported file format', ['idx']),
);

const datasetSchema = z.discriminatedUnion(
  'dataset',
  [
    record(dataWords, { dataset: z.literal('mnist'), split, folder: path.optional(), scale: imageScale, limit }),
    record(dataWords, { dataset: z.literal('fashionMnist'), split, folder: path.default(d.fashionMnistFolder), scale: imageScale, limit }),
  ],
  variantError(dataWords, 'a known data set', ['mnist', 'fashionMnist']),
);

/** One set of rows with labels. `scale` divides every value; `limit` takes the first rows. */
export const dataSchema = z.union([fileSchema, datasetSchema], dataWords);

export type DataConfigInput = z.input<typeof dataSchema>;
export type DataConfig = z.output<typeof dataSchema>;
