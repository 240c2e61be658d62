/**
 * Room: config (level 1). What layers are called, and how one names the outputs of others: pure, and without a schema, as ranks need it too.
 */

/** The model's own input among the sources of a layer. No layer can have this name: theirs begin with a letter or `_`. */
export const modelInput = '@input';

/** Keras' names: the type in snake case, `_1`, `_2`, ... from the second of a type on; given names are kept and skipped. */
export function layerNames(layers: readonly { readonly type: string; readonly name?: string | undefined }[]): string[] {
  const taken = new Set(layers.flatMap(({ name }) => (name === undefined ? [] : [name])));
  const counts = new Map<string, number>();
  return layers.map(({ type, name }) => {
    if (name !== undefined) return name;
    const base = type.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    for (;;) {
      const count = counts.get(base) ?? 0;
      counts.set(base, count + 1);
      const candidate = count === 0 ? base : `${base}_${count}`;
      if (!taken.has(candidate)) return candidate;
    }
  });
}

/** The layers, by number, that a layer with `from` takes outputs of beside its own input, in the order in which they are named; -1 is the model's input. */
export function sourcesOf(from: string | readonly string[], names: readonly string[]): number[] {
  return [from].flat().map((name) => (name === modelInput ? -1 : names.indexOf(name)));
}
