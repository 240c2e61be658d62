/**
 * Room: scripts (level 8). What a sweep varies: `--vary` in words, the product of all its lists, and a variant laid over a config. Pure; what a config may be is
 * for its own check to say.
 */
import { show } from '../../src/check.ts';
import { LockstepError } from '../../src/errors.ts';

/** A key and the values that it takes in turn; `undefined` stands for a key that is absent. */
export interface Vary {
  /** As messages have it: `model.layers.0.units`. */
  readonly key: string;
  readonly path: readonly string[];
  readonly values: readonly unknown[];
}

interface Setting {
  readonly key: string;
  readonly path: readonly string[];
  readonly value: unknown;
}

export interface Variant {
  /** Whole keys and values: `optimizer.globalClipnorm=0.1`. */
  readonly name: string;
  /** The same, each key no longer than it must be beside the others: `globalClipnorm=0.1`. */
  readonly label: string;
  readonly settings: readonly Setting[];
}

const example = '--vary optimizer.globalClipnorm=0.1,1,none';

function refuse(rule: string, received: string, mend: string): never {
  throw new LockstepError('LOCKSTEP_USAGE', `Expected \`--vary\` to ${rule}, got ${show(received)}; ${mend}.`);
}

/** Of `optimizer.globalClipnorm=0.1,1,none`. Values are JSON where they are, and texts otherwise; `none` and `null` mean that the key is absent. */
export function parseVary(text: string): Vary {
  const equals = text.indexOf('=');
  if (equals < 0) refuse('be a key, `=` and values', text, `write it like \`${example}\``);
  // The keys of messages are `model.layers[0].units`.
  const path = text
    .slice(0, equals)
    .trim()
    .replaceAll(/\[(\d+)\]/g, '.$1')
    .split('.');
  if (path.includes('')) refuse('have a key of names and indices with dots between them', text, `write it like \`${example}\``);
  const words = splitAtCommas(text.slice(equals + 1)).map((word) => word.trim());
  if (words.includes('')) refuse('have a value before and after each comma', text, 'write `""` for an empty text');
  const values = words.map(valueIn);
  const twice = values.findIndex((value, i) => values.findIndex((other) => textOf(other) === textOf(value)) < i);
  if (twice >= 0) refuse('name each value once', text, `take away the second \`${words[twice]}\``);
  return { key: path.join('.'), path, values };
}

/** Commas inside of JSON's lists, objects and texts divide nothing. */
function splitAtCommas(text: string): string[] {
  const words = [''];
  let depth = 0;
  for (const token of text.match(/"(?:[^"\\]|\\.)*"|[\s\S]/g) ?? []) {
    if (token === '[' || token === '{') depth++;
    if (token === ']' || token === '}') depth--;
    if (token === ',' && depth === 0) words.push('');
    else words[words.length - 1] += token;
  }
  return words;
}

function valueIn(word: string): unknown {
  if (word === 'none') return undefined;
  try {
    return JSON.parse(word) ?? undefined;
  } catch {
    return word;
  }
}

/** A value as `--vary` would have it. */
export function textOf(value: unknown): string {
  if (value === undefined) return 'none';
  const isPlain = typeof value === 'string' && value !== '' && valueIn(value) === value && !/[,"[\]{}\s]/.test(value);
  return isPlain ? value : JSON.stringify(value);
}

/** All variants in order: the values of the last key change first. */
export function variantsOf(varied: readonly Vary[]): Variant[] {
  for (const [i, { key }] of varied.entries()) {
    if (varied.findIndex((other) => other.key === key) < i) refuse('name each key once', key, 'give all its values to one `--vary`');
  }
  const short = shortNames(varied);
  let product: Setting[][] = [[]];
  for (const { key, path, values } of varied) product = product.flatMap((settings) => values.map((value) => [...settings, { key, path, value }]));
  return product.map((settings) => ({
    name: settings.map(({ key, value }) => `${key}=${textOf(value)}`).join(', '),
    label: settings.map(({ value }, i) => `${short[i]}=${textOf(value)}`).join(', '),
    settings,
  }));
}

/** The shortest end of each key that no other key ends with. */
export function shortNames(varied: readonly Pick<Vary, 'path'>[]): string[] {
  return varied.map(({ path }) => {
    const others = varied.filter((other) => other.path !== path);
    for (let from = path.length - 1; from > 0; from--) {
      const end = path.slice(from);
      // An index alone says nothing.
      if (!/^\d+$/.test(end[0]!) && others.every((other) => other.path.slice(-end.length).join('.') !== end.join('.'))) return end.join('.');
    }
    return path.join('.');
  });
}

/** The config with the values of a variant; it stays as it is itself. Indices are those of the config, whatever else the variant takes away. */
export function laidOver(config: unknown, { settings }: Pick<Variant, 'settings'>): unknown {
  // What stands above another key comes first, so that both count.
  const ordered = settings.toSorted((a, b) => a.path.length - b.path.length);
  return withoutHoles(ordered.reduce((value, { path, value: laid }) => withValue(value, path, laid, []), config));
}

function withValue(value: unknown, path: readonly string[], laid: unknown, above: readonly string[]): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return laid;
  const below = [...above, key];
  if (Array.isArray(value)) {
    if (!/^\d+$/.test(key) || Number(key) >= value.length) {
      refuse(`have an index < ${value.length} below \`${above.join('.')}\``, key, 'indices count from 0 and are those of the config');
    }
    return value.with(Number(key), withValue(value[Number(key)], rest, laid, below));
  }
  if (typeof value !== 'object' || value === null) {
    const place = above.length === 0 ? 'the config' : `\`${above.join('.')}\``;
    const received = value === undefined ? 'nothing, as the variant takes it away' : show(value);
    throw new LockstepError('LOCKSTEP_USAGE', `Expected ${place} to be an object or a list, as \`--vary\` has a key below it, got ${received}; vary it as a whole.`);
  }
  // Nothing comes to be only to be taken away.
  const isThere = Object.hasOwn(value, key);
  if (!isThere && laid === undefined) return value;
  const inner: unknown = isThere ? value[key as keyof typeof value] : {};
  return { ...value, [key]: withValue(inner, rest, laid, below) };
}

/** JSON has nothing undefined, so whatever is was taken away by a variant. */
function withoutHoles(value: unknown): unknown {
  if (Array.isArray(value)) return value.filter((item) => item !== undefined).map(withoutHoles);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .map(([key, item]) => [key, withoutHoles(item)]),
  );
}
