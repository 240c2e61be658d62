/**
 * Room: local (level 6). Data as users give it, opened: one set, or both of a run with all that the run does to rows before they are
 * loaded.
 */
import type { DataConfigInput } from '../config/data.ts';
import { parseDataConfig } from '../config/parse.ts';
import { type ArrayData, arraySource } from '../data/arrays.ts';
import { openData } from '../data/datasets.ts';
import type { Learnt } from '../data/learnt.ts';
import { normalized } from '../data/normalize.ts';
import type { RowFolder } from '../data/row-folder.ts';
import { needsTraining, openSets, type Preparation, type SetInputs, type Sets } from '../data/sets.ts';
import { checkSource, type DataSource, type Texts } from '../data/source.ts';
import { LockstepError } from '../errors.ts';
import { checkInput } from './options.ts';

/** Data as users give it: a description of files, arrays in memory, or a source of their own. */
export type DataInput = DataConfigInput | ArrayData | DataSource;

/**
 * `where` is what messages call the data: `data.train`. `texts` are what texts became in the training data. Rows that must be converted
 * to be streamed go to `folder`, by default to one that lasts as long as the process.
 */
export async function openInput(input: DataInput, where: string, texts?: Texts, folder?: RowFolder): Promise<DataSource> {
  checkInput(input, where);
  if ('readRows' in input) return checkSource(input, where);
  return checkSource('x' in input ? arraySource(input, where) : await openData(parseDataConfig(input, where), { texts, folder }), where);
}

/** A set whose training data are not here; `learnt` is what they taught. Throws LOCKSTEP_USAGE where that is missing. */
export async function openAlone(input: DataInput, { texts, normalization }: Learnt = {}, folder?: RowFolder): Promise<DataSource> {
  const source = await openInput(input, 'data', texts, folder);
  if ('normalize' in input && input.normalize !== undefined && !normalization) {
    throw new LockstepError(
      'LOCKSTEP_USAGE',
      'Expected `learnt` beside data with `normalize`, got nothing; give what `train()` returned: its statistics are those of the training rows.',
    );
  }
  return normalization ? normalized(source, normalization) : source;
}

/** Both sets of a run. */
export async function openInputs(data: SetInputs<DataInput>, preparation: Preparation, folder?: RowFolder): Promise<Sets> {
  return await openSets(data, preparation, (input, where, texts) => openInput(input, where, texts, folder));
}

/** What a model of the run is judged by: the validation data, or the training data where there are no other. */
export async function openJudge(data: SetInputs<DataInput>, preparation: Preparation): Promise<DataSource> {
  if (data.validation && !needsTraining(data.train, preparation)) return await openInput(data.validation, 'data.validation');
  const { train, validation } = await openInputs(data, preparation);
  return validation ?? train;
}
