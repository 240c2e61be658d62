/**
 * Room: interop (level 4). HDF5 files in memory, as far as Keras writes them: groups, attributes of text, datasets of float32. The library runs
 * in WebAssembly over a file system of its own, so that links in a file lead nowhere, and is loaded when the first file is opened.
 */
import type { Dataset, Entity, File, Group } from 'h5wasm';
import { show } from '../check.ts';
import type { Tensor } from '../checkpoint/safetensors.ts';
import { formatShape, type Shape, sameShape, sizeOf } from '../memory/shape.ts';
import { malformed, reasonOf, unsupported } from './refusals.ts';

/** What HDF5 files start with. */
const signature = '\u0089HDF\r\n\u001a\n';

export function isHdf5(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.subarray(0, signature.length)).toString('latin1') === signature;
}

let opened = 0;

/** Opens a file, uses it and closes it. Throws LOCKSTEP_FILE when it is damaged; `what` is its name in messages. */
export async function withHdf5<T>(bytes: Uint8Array, what: string, use: (file: Hdf5) => T): Promise<T> {
  const library = await import('h5wasm');
  const module = await library.ready;
  // Without it every complaint goes to standard error, and what failed looks like what is empty.
  module.activate_throwing_error_handler();
  const name = `model-${opened++}.h5`;
  module.FS.writeFile(name, bytes);
  try {
    const file = attempt(what, () => new library.File(name, 'r'));
    try {
      return use(new Hdf5(file, what));
    } finally {
      file.close();
    }
  } finally {
    module.FS.unlink(name);
  }
}

/** What the library says against a file becomes a LOCKSTEP_FILE. */
function attempt<T>(what: string, act: () => T): T {
  try {
    return act();
  } catch (cause) {
    throw malformed(what, 'be a whole HDF5 file', `a damaged one (${reasonOf(cause)})`, 'save it anew', { cause });
  }
}

export class Hdf5 {
  readonly #file: File;
  readonly #what: string;

  constructor(file: File, what: string) {
    this.#file = file;
    this.#what = what;
  }

  /** The names in a group; undefined where there is no group of this path. */
  names(path: string): string[] | undefined {
    return this.#group(path)?.keys();
  }

  /** The text of an attribute of a group, undefined where there is none. */
  text(path: string, name: string): string | undefined {
    const value = this.#attribute(path, name);
    return typeof value === 'string' ? value : undefined;
  }

  /** The texts of an attribute, which Keras cuts into `name0`, `name1`, ... when it is large; undefined where there is none. */
  texts(path: string, name: string): string[] | undefined {
    const whole = textsOf(this.#attribute(path, name));
    if (whole) return whole;
    const parts: string[] = [];
    for (let i = 0; ; i++) {
      const part = textsOf(this.#attribute(path, `${name}${i}`));
      if (!part) return i === 0 ? undefined : parts;
      parts.push(...part);
    }
  }

  /** A dataset of float32 of exactly this shape, which is compared before anything is read. Throws LOCKSTEP_FILE or LOCKSTEP_CONFIG. */
  tensor(path: string, shape: Shape): Tensor {
    const where = `${show(path)} of ${this.#what}`;
    const dataset = attempt(this.#what, () => (this.#isThere(path) ? this.#file.get(path) : null));
    if (kindOf(dataset) !== 'Dataset') throw malformed(where, 'be a dataset', kindOf(dataset) ?? 'nothing of this name', 'the file is damaged');
    const { dtype, shape: received } = attempt(this.#what, () => dataset as Dataset);
    if (dtype !== '<f') throw unsupported(where, 'hold float32 numbers', show(dtype), 'save the model in float32');
    if (!received || !sameShape(received, shape)) {
      throw malformed(where, `have the shape ${formatShape(shape)} of its layer`, received ? formatShape(received) : 'none', 'the file is damaged');
    }
    const data = attempt(this.#what, () => (dataset as Dataset).value);
    if (data instanceof Float32Array && data.length === sizeOf(shape)) return { shape, data };
    throw malformed(where, `hold the ${sizeOf(shape)} numbers of its shape`, show(data), 'the file is damaged');
  }

  #attribute(path: string, name: string): unknown {
    return attempt(this.#what, () => {
      const group = this.#group(path);
      return group && Object.hasOwn(group.attrs, name) ? group.attrs[name]!.value : undefined;
    });
  }

  #group(path: string): Group | undefined {
    return attempt(this.#what, () => {
      if (path === '/') return this.#file;
      const found = this.#isThere(path) ? this.#file.get(path) : null;
      return kindOf(found) === 'Group' ? (found as Group) : undefined;
    });
  }

  /** The library refuses to look below what is no group: each part of the path is looked for in the one before. */
  #isThere(path: string): boolean {
    let group: Group = this.#file;
    const parts = path.split('/').filter(Boolean);
    for (const [i, part] of parts.entries()) {
      if (!group.keys().includes(part)) return false;
      if (i === parts.length - 1) return true;
      const next = group.get(part);
      if (kindOf(next) !== 'Group') return false;
      group = next as Group;
    }
    return true;
  }
}

/** `Group`, `Dataset`, `ExternalLink`, ...: what a name in a file stands for. */
function kindOf(entity: Entity | null): string | undefined {
  return entity && 'type' in entity ? String(entity.type) : undefined;
}

function textsOf(value: unknown): string[] | undefined {
  if (typeof value === 'string') return [value];
  return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : undefined;
}
