/**
 * Room: config (level 1). JSON with a place for its mistakes: line and column, and what was expected there, which
 * `JSON.parse` of Node 20 does not always say. It never builds a value of its own; `JSON.parse` does.
 */

/** A mistake in JSON text: line and column from 1, in characters, and the words for what belongs there. */
export interface JsonMistake {
  readonly line: number;
  readonly column: number;
  readonly expected: string;
}

type State = 'value' | 'value or ]' | 'key' | 'key or }' | ':' | ', or }' | ', or ]' | 'the end';

const words: Record<State, string> = {
  value: 'a value',
  'value or ]': 'a value or `]`',
  key: 'a key in double quotes (no comma after the last one)',
  'key or }': 'a key in double quotes or `}`',
  ':': '`:`',
  ', or }': '`,` or `}`',
  ', or ]': '`,` or `]`',
  'the end': 'the end of the text',
};

const space = /[ \t\n\r]*/y;
const scalar = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])|true(?!\w)|false(?!\w)|null(?!\w)/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON forbids control characters inside strings.
const string = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;

/** The first mistake of a text that `JSON.parse` refused. */
export function jsonMistake(text: string): JsonMistake {
  const open: ('}' | ']')[] = [];
  let state: State = 'value';
  let index = 0;
  const skip = (pattern: RegExp): boolean => {
    pattern.lastIndex = index;
    const found = pattern.test(text);
    if (found) index = pattern.lastIndex;
    return found;
  };
  const after = (): State => (open.length === 0 ? 'the end' : open.at(-1) === '}' ? ', or }' : ', or ]');

  for (;;) {
    skip(space);
    const next = text[index];
    const isValue = state === 'value' || state === 'value or ]';
    if (isValue && (next === '{' || next === '[')) {
      open.push(next === '{' ? '}' : ']');
      state = next === '{' ? 'key or }' : 'value or ]';
      index++;
    } else if (isValue && (skip(scalar) || skip(string))) {
      state = after();
    } else if ((state === 'key' || state === 'key or }') && skip(string)) {
      state = ':';
    } else if (next === ':' && state === ':') {
      state = 'value';
      index++;
    } else if (next === ',' && (state === ', or }' || state === ', or ]')) {
      state = state === ', or }' ? 'key' : 'value';
      index++;
    } else if (next !== undefined && state.endsWith(`or ${next}`)) {
      open.pop();
      state = after();
      index++;
    } else {
      const before = text.slice(0, index).split('\n');
      return { line: before.length, column: before.at(-1)!.length + 1, expected: words[state] };
    }
  }
}
