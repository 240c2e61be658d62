/**
 * Room: scripts (level 8). A guide of docs/guides/ and what its example makes for it: tables between `<!-- table: NAME -->` and `<!-- end -->`, plots by
 * their names. Where a comment says `measured`, the table has times of a machine; all else is the same on every one.
 */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { plotOf } from '../commands/plot.ts';
import { learningRate, type RunCurves, readCurves, thinnedRun } from '../plot/curves.ts';

const run = promisify(execFile);

/** Of a curve: a guide is read, not searched. */
const mostPoints = 150;

const tables = /(<!-- table: ([\w-]+)(?: \(measured\))? -->\n)[\s\S]*?(<!-- end -->)/g;

/** A guide as it is to be, and its plots by the names of their files. */
export interface Made {
  readonly text: string;
  readonly plots: ReadonlyMap<string, string>;
}

/** The guides in the folder, by name. */
export function guidesIn(folder: string): string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.md') && file !== 'README.md')
    .map((file) => file.slice(0, -'.md'.length))
    .toSorted();
}

/** Runs the example of a guide, which leaves its tables and logs in `folder`. */
export async function runExample(root: string, name: string, folder: string): Promise<void> {
  await run(process.execPath, [join(root, 'dist/examples', `${name}.js`), folder], { cwd: root, maxBuffer: 1 << 26 });
}

/** The guide `text` with what its example left in `folder`. Throws when it names a table or a plot that the example does not make. */
export function madeOf(name: string, text: string, folder: string): Made {
  const plots = new Map<string, string>();
  for (const [, file, section] of text.matchAll(new RegExp(`\\(((?:${name})-([\\w-]+)\\.svg)\\)`, 'g'))) plots.set(file!, plotOf(runsOf(join(folder, section!))));
  const filled = text.replaceAll(tables, (_, begin: string, section: string, end: string) => `${begin}\n${readFileSync(join(folder, `${section}.md`), 'utf8')}\n${end}`);
  return { text: filled, plots };
}

/** The text without the tables that have times of a machine. */
export function withoutMeasured(text: string): string {
  return text.replaceAll(/(<!-- table: [\w-]+ \(measured\) -->\n)[\s\S]*?(<!-- end -->)/g, '$1$2');
}

function runsOf(folder: string): RunCurves[] {
  const logs = readdirSync(folder).toSorted();
  return readCurves(logs.map((log) => join(folder, log))).map((curves) => {
    const { name, training, validation } = thinnedRun(curves, mostPoints);
    return { name: name.replace(/^\d+ /, ''), training: new Map([...training].filter(([curve]) => curve !== learningRate)), validation };
  });
}
