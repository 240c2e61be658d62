/**
 * Room: check (level 0). Predicate and message as one function: what a check accepts and what its sentence says cannot
 * drift apart. Each check returns the value it accepted and throws LOCKSTEP_USAGE with the rule and what was received
 * otherwise. It never reads files, never coerces ("3" is not 3) and never fills in defaults.
 */
import { LockstepError } from './errors.ts';

function refuse(name: string, rule: string, value: unknown, mend = '.'): never {
  throw new LockstepError('LOCKSTEP_USAGE', `Expected \`${name}\` to be ${rule}, got ${show(value)}${mend}`);
}

/** An integer in [min, max], both included; without `max`, up to the largest exact integer, 2^53 - 1. */
export function integerIn(name: string, value: unknown, min: number, max: number = Number.MAX_SAFE_INTEGER): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max) return value;
  return refuse(name, integerRule(min, max), value);
}

/** An integer >= 1. */
export function positiveInteger(name: string, value: unknown): number {
  return integerIn(name, value, 1);
}

/** An integer >= 0. */
export function nonNegativeInteger(name: string, value: unknown): number {
  return integerIn(name, value, 0);
}

/** The words for the integers in [min, max]: "an integer >= 1" or "an integer from 0 to 65535". */
export function integerRule(min: number, max: number = Number.MAX_SAFE_INTEGER): string {
  return max === Number.MAX_SAFE_INTEGER ? `an integer >= ${min}` : `an integer from ${min} to ${max}`;
}

/** A shape: a list of at least one integer >= 1. The batch dimension is never part of it. */
export function shape(name: string, value: unknown): readonly number[] {
  const isSize = (size: unknown) => typeof size === 'number' && Number.isSafeInteger(size) && size >= 1;
  if (Array.isArray(value) && value.length > 0 && value.every(isSize)) return value;
  return refuse(name, 'a list of integers >= 1', value);
}

/** One of `options`; a near miss is told which one it is near to. */
export function oneOf<const T extends string>(name: string, value: unknown, options: readonly T[]): T {
  for (const option of options) if (option === value) return option;
  const near = typeof value === 'string' ? nearest(value, options) : undefined;
  return refuse(name, `one of ${options.join(', ')}`, value, near === undefined ? '.' : `; did you mean \`${near}\`?`);
}

/** The longest sketch of a received value, in characters. */
const sketchLength = 80;

/**
 * A received value as a message shows it: JSON between backticks, on one line, cut at 80 characters; `nothing` for
 * undefined. Never throws for plain data, circular or huge data included.
 */
export function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = sketch(value, 3);
  return `\`${text.length > sketchLength ? `${text.slice(0, sketchLength)}...` : text}\``;
}

function sketch(value: unknown, depth: number): string {
  if (typeof value === 'string') return quoted(value.length > sketchLength ? `${value.slice(0, sketchLength)}...` : value);
  if (typeof value === 'function') return 'a function';
  if (typeof value !== 'object' || value === null) return String(value);
  if (ArrayBuffer.isView(value)) return `${value.constructor.name} of ${value.byteLength} bytes`;
  const list = Array.isArray(value);
  const keys = Object.keys(value);
  if (keys.length > 0 && depth === 0) return list ? '[...]' : '{...}';
  const shown = Object.entries(value).slice(0, 8);
  const items = shown.map(([key, item]) => (list ? '' : `${quoted(key)}:`) + sketch(item, depth - 1));
  if (keys.length > shown.length) items.push('...');
  return list ? `[${items.join(',')}]` : `{${items.join(',')}}`;
}

/** As JSON, without the characters that JSON leaves as they are though a terminal takes them for the end of a line, or for an order. */
function quoted(text: string): string {
  return JSON.stringify(text).replace(/[\u007f-\u009f\u2028\u2029]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/**
 * The option that `word` was probably meant to be, or undefined: equal but for case, `_` and `-`, or within an edit
 * distance of a third of its length.
 */
export function nearest(word: string, options: readonly string[]): string | undefined {
  const plain = (text: string) => text.toLowerCase().replace(/[_-]/g, '');
  if (word.length > sketchLength) return undefined;
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const option of options) {
    const distance = editDistance(plain(word), plain(option));
    if (distance < bestDistance) [best, bestDistance] = [option, distance];
  }
  return best;
}

/** Levenshtein's distance: insertions, deletions and substitutions from a to b. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length]!;
}
