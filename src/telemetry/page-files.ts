/**
 * Room: telemetry (level 2). The files of the live page, those of the package and uPlot's, by the paths under which they are served. There are no
 * others: a path is looked up, never joined to a folder. Each is read once, when it is first asked for.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

export interface PageFile {
  /** For `content-type`. */
  readonly type: string;
  readonly body: Buffer;
}

/** Go with every file: the page loads nothing from anywhere else, and nobody shows it inside theirs. */
export const pageHeaders = {
  'content-security-policy': "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-cache',
} as const;

const types = { html: 'text/html; charset=utf-8', js: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8', svg: 'image/svg+xml' } as const;

const own = (name: string) => (): string => fileURLToPath(new URL(`./page/${name}`, import.meta.url));
const require = createRequire(import.meta.url);

const files: ReadonlyMap<string, readonly [type: keyof typeof types, place: () => string]> = new Map([
  ['/', ['html', own('index.html')]],
  ['/page.js', ['js', own('page.js')]],
  ['/charts.js', ['js', own('charts.js')]],
  ['/series.js', ['js', own('series.js')]],
  ['/cluster.js', ['js', own('cluster.js')]],
  ['/page.css', ['css', own('page.css')]],
  ['/panels.css', ['css', own('panels.css')]],
  ['/theme.css', ['css', own('theme.css')]],
  ['/icon.svg', ['svg', own('icon.svg')]],
  ['/uplot.js', ['js', () => require.resolve('uplot/dist/uPlot.esm.js')]],
  ['/uplot.css', ['css', () => require.resolve('uplot/dist/uPlot.min.css')]],
]);

export const pagePaths: readonly string[] = [...files.keys()];

const read = new Map<string, PageFile>();

/** The file of a path without query, or undefined when there is none of this path. */
export function pageFile(path: string): PageFile | undefined {
  const file = files.get(path);
  if (!file) return undefined;
  const [type, place] = file;
  const found = read.get(path) ?? { type: types[type], body: readFileSync(place()) };
  read.set(path, found);
  return found;
}
