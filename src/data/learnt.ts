/**
 * Room: data (level 3). What a run learnt from its training data before its first step. Rows to predict need the same done to them.
 */
import type { DataSource, Normalization, Texts } from './source.ts';

export interface Learnt {
  /** What texts of the training data became: classes, and categories by column. */
  readonly texts?: Texts | undefined;
  /** What was done to the numbers of every row. */
  readonly normalization?: Normalization | undefined;
}

export function learntFrom({ texts, normalization }: DataSource): Learnt {
  return { ...(texts && { texts }), ...(normalization && { normalization }) };
}

/** The same for the user, a sentence each. */
export function newsOf({ texts, normalization }: DataSource): string[] {
  const news: string[] = [];
  const { classes, columns = {} } = texts ?? {};
  if (classes) news.push(`${classes.length} classes: ${some(classes)}`);
  const named = Object.entries(columns);
  if (named.length > 0) news.push(`columns of texts became one column a category: ${some(named.map(([name, categories]) => `${name} (${categories.length})`))}`);
  if (normalization) {
    const range = normalization.kind === 'standard' ? 'mean 0 and standard deviation 1' : '0..1';
    news.push(`normalized ${normalization.offset.length.toLocaleString('en-US')} features to ${range} by the training rows`);
  }
  return news;
}

function some(names: readonly string[]): string {
  return `${names.slice(0, 10).join(', ')}${names.length > 10 ? ', ...' : ''}`;
}
