/**
 * Room: interop (level 4). The options of a Keras layer as a file has them: read one by one, so that at the end what nobody read is known.
 * An option without a counterpart here is refused unless it is off: nothing that changes what a layer computes is dropped without a word.
 */
import { show } from '../check.ts';
import { type JsonObject, unsupported } from './refusals.ts';

/** About the file, about how the model was built, or without a meaning for what a layer computes. */
const withoutMeaning = ['name', 'dtype', 'trainable', 'batch_input_shape', 'batch_shape', 'input_shape', 'batch_size', 'sparse', 'ragged', 'seed', 'optional'];

export class LayerOptions {
  /** As messages name the layer: "the layer `hidden` (Dense)". */
  readonly what: string;
  readonly #values: JsonObject;
  readonly #read = new Set(withoutMeaning);

  constructor(what: string, values: JsonObject) {
    this.what = what;
    this.#values = values;
  }

  /** The value of an option, undefined where it is absent or null. It counts as read. */
  take(key: string): unknown {
    this.#read.add(key);
    return this.#values[key] ?? undefined;
  }

  /** Whether the file has the option, null included. It counts as read. */
  has(key: string): boolean {
    this.#read.add(key);
    return Object.hasOwn(this.#values, key);
  }

  /** Refuses another value than those; absent is always accepted. */
  only(key: string, ...accepted: readonly (string | number | boolean)[]): void {
    const value = this.take(key);
    if (value === undefined || accepted.some((one) => one === value)) return;
    throw unsupported(this.what, `have \`${key}\` ${accepted.map(show).join(' or ')}`, show(value), 'nothing else is supported');
  }

  /** Throws LOCKSTEP_CONFIG for an option that is on and that nobody read. */
  finish(): void {
    for (const [key, value] of Object.entries(this.#values)) {
      if (this.#read.has(key) || value === null || value === false) continue;
      throw unsupported(this.what, 'have options with a counterpart here', `\`${key}\` ${show(value)}`, `supported are ${this.#known().join(', ')}`);
    }
  }

  #known(): string[] {
    return [...this.#read].filter((key) => !withoutMeaning.includes(key));
  }
}
