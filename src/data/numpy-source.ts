/**
 * Room: data (level 3). Inputs, labels and weights from npy files or the members of an npz file. The type of the labels says what they
 * are: integers in one dimension are classes, floating-point numbers are targets.
 */
import type { FormatConfig } from '../config/data.ts';
import { LockstepError } from '../errors.ts';
import { sizeOf } from '../memory/shape.ts';
import type { OpenOptions } from './csv.ts';
import { type FileBytes, malformed, withFile } from './file-bytes.ts';
import { type NpyArray, readNpy } from './npy.ts';
import { checkWeights, type DataSource, type Labels, memorySource } from './source.ts';
import { unzipMember, zipMembers } from './zip.ts';

/** The rows of an npy file, or of the array `member` of an npz file, without labels. Throws LOCKSTEP_FILE and LOCKSTEP_DATA. */
export function numpyRows(path: string, member: string | undefined, scale: number): DataSource {
  const x = withFile(path, 'a file of rows', undefined, (file) => {
    if (member === undefined) return { name: path, ...readNpy({ name: path, size: file.size, read: (position, length) => file.read(position, length) }) };
    return readMember(file, member);
  });
  return sourceOf({ scale }, `\`${path}\``, x, { name: x.name, shape: x.shape.slice(0, 1), values: new Uint8Array(x.shape[0]!) }, undefined);
}

interface Named extends NpyArray {
  /** What messages call the array. */
  readonly name: string;
}

/** Arrays of files of their own. Throws LOCKSTEP_FILE and LOCKSTEP_DATA. */
export function npySource(config: FormatConfig<'npy'>, { mend }: OpenOptions = {}): DataSource {
  const read = (path: string, what: string): Named =>
    withFile(path, what, mend, (file) => ({ name: path, ...readNpy({ name: path, size: file.size, read: (position, length) => file.read(position, length) }) }));
  const weights = config.sampleWeights === undefined ? undefined : read(config.sampleWeights, 'a file of weights of rows');
  return sourceOf(config, `\`${config.inputs}\``, read(config.inputs, 'an npy file of inputs'), read(config.labels, 'an npy file of labels'), weights);
}

/** Arrays of one archive. Throws LOCKSTEP_FILE and LOCKSTEP_DATA. */
export function npzSource(config: FormatConfig<'npz'>, { mend }: OpenOptions = {}): DataSource {
  return withFile(config.file, 'an npz file', mend, (file) => {
    const read = (name: string): Named => readMember(file, name);
    const weights = config.sampleWeights === undefined ? undefined : read(config.sampleWeights);
    return sourceOf(config, `\`${config.file}\``, read(config.inputs), read(config.labels), weights);
  });
}

/** An array of an npz file. */
function readMember(file: FileBytes, name: string): Named {
  const members = zipMembers(file);
  const member = members.get(`${name}.npy`);
  if (!member) {
    const names = [...members.keys()].map((key) => key.replace(/\.npy$/, '')).slice(0, 8);
    throw malformed(file.path, `hold an array \`${name}\``, names.length === 0 ? 'none' : `the arrays ${names.join(', ')}`, 'name them with `inputs` and `labels`');
  }
  const bytes = unzipMember(file, name, member);
  const called = `${file.path}: ${name}`;
  return { name: called, ...readNpy({ name: called, size: bytes.length, read: (position, length) => bytes.subarray(position, position + length) }) };
}

function sourceOf({ scale, limit }: { readonly scale: number; readonly limit?: number | undefined }, name: string, x: Named, y: Named, w: Named | undefined): DataSource {
  const [rows = 0, ...inputShape] = x.shape;
  if (inputShape.length === 0) throw malformed(x.name, 'have at least two dimensions', 'one', 'check that it holds the inputs');
  if (!(x.values instanceof Uint8Array || x.values instanceof Float32Array)) {
    throw malformed(x.name, 'hold inputs of uint8, float32 or float64', 'integers', "convert them: array.astype('float32')");
  }
  for (const { name: other, shape } of [y, ...(w ? [w] : [])]) {
    if (shape[0] !== rows) throw malformed(other, `have ${rows} rows as \`${x.name}\``, `${shape[0]}`, 'check that the arrays belong together');
  }
  if (limit !== undefined && limit > rows) {
    throw new LockstepError('LOCKSTEP_DATA', `Expected \`limit\` to be at most ${rows}, the rows of ${name}, got \`${limit}\`; lower it or leave it out.`);
  }
  const taken = limit ?? rows;
  const size = sizeOf(inputShape);
  checkFinite(x, size);
  return memorySource({
    name,
    inputShape,
    scale,
    labels: labelsOf(y, taken),
    values: x.values.subarray(0, taken * size),
    ...(w && { weights: weightsOf(w, taken) }),
  });
}

function checkFinite({ name, values }: Named, size: number): void {
  if (!(values instanceof Float32Array)) return;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (!(value - value === 0)) throw malformed(name, 'hold finite numbers in float32', `\`${value}\` in row ${Math.floor(i / size)}`, 'mend or leave out the row');
  }
}

function labelsOf(y: Named, taken: number): Labels {
  const { name, values } = y;
  const [, ...rest] = y.shape;
  if (values instanceof Float32Array) {
    const shape = rest.length === 0 ? [1] : rest;
    checkFinite(y, sizeOf(shape));
    return { kind: 'target', shape, values: values.subarray(0, taken * sizeOf(shape)) };
  }
  if (rest.length > 0) {
    throw malformed(
      name,
      'hold classes in one dimension',
      `the shape (${y.shape.join(', ')})`,
      'take the arg max of one-hot labels, or save values to predict as float32',
    );
  }
  const classes = new Int32Array(taken);
  for (let row = 0; row < taken; row++) {
    const label = Number(values[row]);
    if (label < 0 || label >= 2 ** 31) throw malformed(name, 'hold classes, integers from 0', `\`${label}\` in row ${row}`, 'mend the labels');
    classes[row] = label;
  }
  return { kind: 'class', values: classes };
}

function weightsOf({ name, shape, values }: Named, taken: number): Float32Array {
  if (shape.length !== 1) throw malformed(name, 'hold weights in one dimension', `the shape (${shape.join(', ')})`, 'flatten it');
  return checkWeights(`\`${name}\``, Float32Array.from(values.subarray(0, taken), Number), taken);
}
