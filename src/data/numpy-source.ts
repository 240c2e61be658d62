/**
 * Room: data (level 3). Inputs, labels and weights from npy files or the members of an npz file. The type of the labels says what they
 * are: integers in one dimension are classes, floating-point numbers are targets.
 */
import type { DataConfig, FormatConfig } from '../config/data.ts';
import { LockstepError } from '../errors.ts';
import { sizeOf } from '../memory/shape.ts';
import type { OpenOptions } from './csv.ts';
import { type FileBytes, malformed, withFile, withFileAsync } from './file-bytes.ts';
import { notFinite } from './file-source.ts';
import { type NpyArray, type NpyBytes, readNpy } from './npy.ts';
import { findMember, memberName, type PlacedArray, placedMember, placedNpy, placedSource, whole } from './placed-numpy.ts';
import { folderFor, type RowFolder } from './row-folder.ts';
import { checkWeights, type DataSource, type Labels, memorySource } from './source.ts';
import { unzipMember } from './zip.ts';

type RowsOptions = Pick<OpenOptions, 'mend' | 'folder'>;

/** The rows of an npy file, or of the array `member` of an npz file, without labels. Throws LOCKSTEP_FILE and LOCKSTEP_DATA. */
export async function numpyRows(
  path: string,
  member: string | undefined,
  config: Pick<DataConfig, 'scale' | 'streaming'>,
  options: RowsOptions = {},
): Promise<DataSource> {
  const { scale } = config;
  const folder = folderFor(config.streaming, options.folder);
  const x = await withFileAsync(path, 'a file of rows', undefined, async (file) => {
    if (member === undefined) return folder ? placedNpy(file) : readArray(path, whole(file));
    return folder ? await placedMember(file, member, folder) : readMember(file, member);
  });
  return sourceOf({ scale }, `\`${path}\``, x, { name: x.name, shape: x.shape.slice(0, 1), values: new Uint8Array(x.shape[0]!) }, undefined, folder);
}

interface Named extends NpyArray {
  /** What messages call the array. */
  readonly name: string;
}

/** Arrays of files of their own. Throws LOCKSTEP_FILE and LOCKSTEP_DATA. */
export function npySource(config: FormatConfig<'npy'>, { mend, folder: given }: RowsOptions = {}): DataSource {
  const folder = folderFor(config.streaming, given);
  const read = (path: string, what: string): Named => withFile(path, what, mend, (file) => readArray(path, whole(file)));
  const weights = config.sampleWeights === undefined ? undefined : read(config.sampleWeights, 'a file of weights of rows');
  const what = 'an npy file of inputs';
  const x = withFile<Named | PlacedArray>(config.inputs, what, mend, (file) => (folder ? placedNpy(file) : readArray(config.inputs, whole(file), config.limit)));
  return sourceOf(config, `\`${config.inputs}\``, x, read(config.labels, 'an npy file of labels'), weights, folder);
}

/** Arrays of one archive. Throws LOCKSTEP_FILE and LOCKSTEP_DATA. */
export async function npzSource(config: FormatConfig<'npz'>, { mend, folder: given }: RowsOptions = {}): Promise<DataSource> {
  const folder = folderFor(config.streaming, given);
  return await withFileAsync(config.file, 'an npz file', mend, async (file) => {
    const weights = config.sampleWeights === undefined ? undefined : readMember(file, config.sampleWeights);
    const x = folder ? await placedMember(file, config.inputs, folder) : readMember(file, config.inputs);
    return sourceOf(config, `\`${config.file}\``, x, readMember(file, config.labels), weights, folder);
  });
}

function readArray(name: string, bytes: Omit<NpyBytes, 'name'>, limit?: number): Named {
  return { name, ...readNpy({ name, ...bytes }, limit) };
}

/** An array of an npz file. */
function readMember(file: FileBytes, name: string): Named {
  const bytes = unzipMember(file, name, findMember(file, name));
  return readArray(memberName(file, name), { size: bytes.length, read: (position, length) => bytes.subarray(position, position + length) });
}

function sourceOf(
  { scale, limit }: { readonly scale: number; readonly limit?: number | undefined },
  name: string,
  x: Named | PlacedArray,
  y: Named,
  w: Named | undefined,
  folder: RowFolder | undefined,
): DataSource {
  const [rows = 0, ...inputShape] = x.shape;
  if (inputShape.length === 0) throw malformed(x.name, 'have at least two dimensions', 'one', 'check that it holds the inputs');
  const type = 'values' in x ? typeOf(x.values) : x.type;
  if (type === 'int32' || type === 'int64') {
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
  const description = { name, inputShape, scale, labels: labelsOf(y, taken), ...(w && { weights: weightsOf(w, taken) }) };
  if (!('values' in x)) return placedSource(x, { ...description, length: taken }, folder!);
  checkFinite(x, size);
  return memorySource({ ...description, values: (x.values as Uint8Array | Float32Array).subarray(0, taken * size) });
}

function typeOf(values: NpyArray['values']): 'uint8' | 'float32' | 'int32' | 'int64' {
  if (values instanceof Uint8Array) return 'uint8';
  if (values instanceof Float32Array) return 'float32';
  return values instanceof Int32Array ? 'int32' : 'int64';
}

function checkFinite({ name, values }: Named, size: number): void {
  if (!(values instanceof Float32Array)) return;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (!(value - value === 0)) throw notFinite(name, value, Math.floor(i / size));
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
