/**
 * Room: tests of docs. The public Markdown files as data: fenced blocks, codes within sentences, tables, headings and links, each with its line.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../scripts/command.ts';

interface Place {
  /** From the root of the package, such as `docs/usage.md`. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** The heading above it. */
  readonly section: string;
}

/** A fenced block. */
export interface Block extends Place {
  /** What stands behind the fence; empty where nothing does. */
  readonly language: string;
  readonly text: string;
}

/** A text between backticks in a sentence or a table. */
export interface Code extends Place {
  readonly text: string;
}

/** A row of a table, the heading of its columns included. */
export interface Row extends Place {
  readonly heading: readonly string[];
  readonly cells: readonly string[];
}

export interface Document {
  readonly file: string;
  readonly blocks: readonly Block[];
  readonly codes: readonly Code[];
  readonly rows: readonly Row[];
  readonly links: readonly (Place & { readonly target: string })[];
  /** What `#...` may name, as GitHub makes it from headings. */
  readonly anchors: readonly string[];
}

const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\w\- ]/g, '')
    .replaceAll(' ', '-');

/** The cells of a table's line; a bar behind a backslash is text. */
const cellsOf = (line: string): string[] =>
  line
    .trim()
    .slice(1, -1)
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim().replaceAll('\\|', '|'));

export const codesIn = (text: string): string[] => [...text.matchAll(/`([^`]+)`/g)].map(([, code]) => code!);

export function readDocument(file: string, text: string): Document {
  const [blocks, codes, rows, links, anchors]: [Block[], Code[], Row[], Document['links'][number][], string[]] = [[], [], [], [], []];
  let section = '';
  let fence: { place: Place; language: string; lines: string[] } | undefined;
  let heading: string[] | undefined;
  for (const [index, line] of text.split('\n').entries()) {
    const place = { file, line: index + 1, section };
    if (line.startsWith('```')) {
      if (fence) blocks.push({ ...fence.place, language: fence.language, text: fence.lines.join('\n') });
      fence = fence ? undefined : { place, language: line.slice(3).trim(), lines: [] };
    } else if (fence) fence.lines.push(line);
    else {
      const [, title] = /^#+ (.*)$/.exec(line) ?? [];
      section = title ?? section;
      if (title !== undefined) anchors.push(anchorOf(title));
      if ((line.match(/`/g)?.length ?? 0) % 2 === 1) throw new Error(`Expected a code of ${at(place)} to end in its line.`);
      codes.push(...codesIn(line).map((code) => ({ ...place, text: code.replaceAll('\\|', '|') })));
      links.push(...[...line.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => ({ ...place, target: target! })));
      if (!line.startsWith('|')) heading = undefined;
      else if (heading === undefined) heading = cellsOf(line);
      else if (!/^[|\s:-]+$/.test(line)) rows.push({ ...place, heading, cells: cellsOf(line) });
    }
  }
  if (fence) throw new Error(`Expected the block of ${file}:${fence.place.line} to end.`);
  return { file, blocks, codes, rows, links, anchors };
}

const names = [
  ...readdirSync(packageRoot).filter((name) => name.endsWith('.md')),
  ...readdirSync(join(packageRoot, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
].toSorted();

/** All that the package shows to its readers. */
export const documents: readonly Document[] = names.map((name) => readDocument(name, readFileSync(join(packageRoot, name), 'utf8')));

export const at = ({ file, line }: Place): string => `${file}:${line}`;

/** The rows of tables below a heading of a document whose first column is called so. */
export function tableRows(file: string, section: string, firstColumn: string): readonly Row[] {
  const rows = documents.find((document) => document.file === file)!.rows.filter((row) => row.section === section && row.heading[0] === firstColumn);
  if (rows.length === 0) throw new Error(`Expected ${file} to have a table below "${section}" with a first column "${firstColumn}".`);
  return rows;
}

/** Options that a cell names, each with its default where one stands behind it: "`delta` 1, `fromLogits`". */
export function optionsIn(cell: string): ReadonlyMap<string, string | undefined> {
  return new Map([...cell.matchAll(/`(\w+)`(?: (-?[\d.]+(?:e-?\d+)?|true|false|`\w+`)(?![\w.]))?/g)].map(([, name, value]) => [name!, value?.replaceAll('`', '')]));
}

export function grouped<T>(items: readonly T[], keyOf: (item: T) => string): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
}
