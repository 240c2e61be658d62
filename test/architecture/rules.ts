/**
 * Room: tests of the architecture. DESIGN 2's rules as pure functions over source texts: each returns one sentence for every
 * break and nothing for a clean tree. They read text, not types, so they also see what the compiler erases.
 */

/** A source file: its path from the repository's root, with `/`, and its text. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** The rooms of each level, by path: a folder with a slash at its end, or a file. The first that fits counts. */
const levels: readonly (readonly [level: number, rooms: readonly string[]])[] = [
  [0, ['src/errors.ts', 'src/check.ts']],
  [1, ['src/config/', 'src/memory/', 'src/numerics/']],
  [2, ['src/kernels/', 'src/telemetry/']],
  [3, ['src/layers/', 'src/losses/', 'src/metrics/', 'src/optimizers/', 'src/collectives/', 'src/data/', 'src/checkpoint/']],
  [4, ['src/model/', 'src/interop/']],
  [5, ['src/train/']],
  [6, ['src/local/']],
  [7, ['cluster/']],
  // The public face: above every room it shows, so that only scripts and tests may import it.
  [7.5, ['src/index.ts']],
  [8, ['scripts/']],
];

/** Imports that DESIGN 2 allows between rooms of one level. */
const allowedSideways: readonly (readonly [from: string, to: string])[] = [
  ['src/check.ts', 'src/errors.ts'],
  // "src/interop/ may import model (tfjs/Keras, ONNX)".
  ['src/interop/', 'src/model/'],
];

interface Room {
  readonly name: string;
  readonly level: number;
}

/** The room of a path, or undefined for a file that stands in none. */
export function roomOf(path: string): Room | undefined {
  for (const [level, rooms] of levels) {
    for (const name of rooms) if (path === name || (name.endsWith('/') && path.startsWith(name))) return { name, level };
  }
  return undefined;
}

/** The text without comments; strings, templates and the line breaks stay. */
export function withoutComments(text: string): string {
  const token =
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`|\/(?![/*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/[dgimsuvy]*(?=\s*[.,;)\]])/g;
  return text.replace(token, (found) => (found.startsWith('//') || found.startsWith('/*') ? found.replaceAll(/[^\n]/g, '') : found));
}

/** The text without comments and without what strings say. */
function code(text: string): string {
  return withoutComments(text).replaceAll(/'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"/g, "''");
}

/** The paths of the repository that a file imports, exports from, or loads as a worker, types included. */
export function importsOf({ path, text }: SourceFile): string[] {
  const specifier = /(?:\bfrom|\bimport|\bimport\s*\(|\bnew URL\()\s*['"](\.{1,2}\/[^'"]+\.[jt]s)['"]/g;
  return [...withoutComments(text).matchAll(specifier)].map((match) => resolve(path, match[1]!.replace(/\.js$/, '.ts')));
}

function resolve(from: string, specifier: string): string {
  const parts = from.split('/').slice(0, -1);
  for (const part of specifier.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.') parts.push(part);
  }
  return parts.join('/');
}

/** A file imports from its own room or from rooms of a lower level: never sideways, never up. */
export function backArrows(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) => {
    const from = roomOf(file.path);
    if (!from) return [`${file.path} stands in no room; give its folder a level.`];
    return importsOf(file).flatMap((target) => {
      const to = roomOf(target);
      if (!to) return [`${file.path} imports ${target}, which stands in no room.`];
      if (to.name === from.name || to.level < from.level) return [];
      if (allowedSideways.some(([a, b]) => a === from.name && b === to.name)) return [];
      return [`${file.path} (level ${from.level}) imports ${target} (level ${to.level}); import from lower levels only.`];
    });
  });
}

/** No file imports itself through others. One sentence for each ring, which begins at the file found first. */
export function importRings(files: readonly SourceFile[]): string[] {
  const targets = new Map(files.map((file) => [file.path, importsOf(file)]));
  const done = new Set<string>();
  const rings: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    const seen = trail.indexOf(path);
    if (seen >= 0) rings.push(`${[...trail.slice(seen), path].join(' -> ')} is a ring.`);
    if (seen >= 0 || done.has(path)) return;
    for (const target of targets.get(path) ?? []) visit(target, [...trail, path]);
    done.add(path);
  };
  for (const { path } of files) visit(path, []);
  return rings;
}

/** One sentence for every match of `pattern` in the code of the files, comments and strings left out. */
export function uses(files: readonly SourceFile[], pattern: RegExp, mend: string): string[] {
  return files.flatMap(({ path, text }) =>
    code(text)
      .split('\n')
      .flatMap((line, i) => [...line.matchAll(new RegExp(pattern, 'g'))].map((match) => `${path}:${i + 1} uses ${match[0].trim()}; ${mend}.`)),
  );
}

/** What only scripts may ask of the process. */
export const processPattern = /\bprocess\s*\.\s*(?:argv|env|exit|exitCode)\b/;

/**
 * What may differ between engines, machines or moments: it must not come near a number that reaches a weight. `**` is
 * exact only with a power of two as its base.
 */
export const inexactPattern =
  /\bMath\s*\.\s*(?:random|exp|expm1|log|log1p|log2|log10|pow|sqrt3|cbrt|hypot|sinh?|cosh?|tanh?|asinh?|acosh?|atanh?|atan2)\b|\bDate\b|(?<!\b[24]\s*)\*\*/;

/** Hot paths never wait for the event loop. */
export const awaitPattern = /(?<![#.\w])(?:await|async)\b/;

/** Every file opens with a comment that says its room, and the right level if any. A `#!` line may stand before it. */
export function unnamedRooms(files: readonly SourceFile[]): string[] {
  return files.filter(({ path, text }) => !opening(path).test(text)).map(({ path }) => `${path} does not open with a comment that says its room.`);
}

function opening(path: string): RegExp {
  if (path === 'src/index.ts') return /^\/\*\*\s*\*\s*The public face of Lockstep/;
  const room = roomOf(path);
  const name = room?.name
    .split('/')
    .at(room.name.endsWith('/') ? -2 : -1)
    ?.replace('.ts', '');
  return new RegExp(`^(?:#!.*\\n)?(?:/\\*\\*\\s*(?:\\*\\s*)?|// )Room: ${name}\\b(?!.*\\(level (?!${room?.level}\\)))`);
}

/** No file is longer than `limit` lines. */
export function longFiles(files: readonly SourceFile[], limit = 250): string[] {
  return files.flatMap(({ path, text }) => {
    const lines = text.replace(/\n$/, '').split('\n').length;
    return lines > limit ? [`${path} has ${lines} lines, more than ${limit}; split it.`] : [];
  });
}
