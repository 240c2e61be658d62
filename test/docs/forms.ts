/**
 * Room: tests of docs. Whether an output has the form of the one that is shown: the same words, with numbers, hashes and spaces of its own; a line
 * of `...` stands for any lines.
 */

const parts: readonly (readonly [shown: RegExp, any: string])[] = [
  [/^[0-9a-f]{64}/, '[0-9a-f]{64}'],
  [/^[0-9a-f]{4}\.\.\./, '[0-9a-f]+(?:\\.\\.\\.)?'],
  [/^-?\d(?:[\d,.]*\d)?(?:e[+-]?\d+)?/, '-?\\d(?:[\\d,.]*\\d)?(?:e[+-]?\\d+)?'],
  [/^\s+/, '\\s+'],
  // What one machine has is not what another has.
  [/^kernels .*/, 'kernels .*'],
  // One checkpoint may be both, or neither.
  [/^(?:latest|best)\s+/, '(?:(?:latest|best)[, ]*){0,2}\\s*'],
  [/^[a-zA-Z_]+/, ''],
  [/^./, ''],
];

/** The pattern of lines like this one. */
export function formOf(line: string): RegExp {
  let rest = line.trimEnd();
  let pattern = '';
  while (rest !== '') {
    const [shown, any] = parts.find(([begin]) => begin.test(rest))!;
    const [found] = shown.exec(rest)!;
    pattern += any || found.replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&');
    rest = rest.slice(found.length);
  }
  return new RegExp(`^${pattern}\\s*$`);
}

/** The first shown line that the output does not have where it should; undefined when it has them all. */
export function unlike(shown: string, output: string): string | undefined {
  const lines = output.trimEnd().split('\n');
  let at = 0;
  let skips = false;
  for (const line of shown.split('\n')) {
    if (line === '...') {
      skips = true;
      continue;
    }
    const form = formOf(line);
    const found = skips ? lines.findIndex((text, i) => i >= at && form.test(text)) : at;
    if (found < 0 || !form.test(lines[found] ?? '')) return line;
    at = found + 1;
    skips = false;
  }
  return skips || at === lines.length ? undefined : `(the end, not: ${lines[at]})`;
}
