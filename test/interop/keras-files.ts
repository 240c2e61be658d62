/**
 * Room: tests of interop. Files as Keras writes them, made here after its sources (keras/src/saving/saving_lib.py, keras/src/legacy/saving/
 * legacy_h5_format.py, and the configs that `get_config` of its layers gives): there is no Python in the tests, so no real Keras judges them.
 */
import { crc32, deflateRawSync } from 'node:zlib';
import { File, type Group, ready } from 'h5wasm';

type Json = Record<string, unknown>;

/** A weight by the number that it has in its layer. */
export interface Weight {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** A layer of Keras: `name` is the file's own for its class. */
export interface Layer {
  readonly className: string;
  readonly config: Json & { readonly name: string };
  readonly weights?: readonly (readonly [name: string, weight: Weight])[];
}

const policy = { module: 'keras', class_name: 'DTypePolicy', config: { name: 'float32' }, registered_name: null };
const initializer = (className: string, config: Json = {}): Json => ({ module: 'keras.initializers', class_name: className, config, registered_name: null });

/** Configs as Keras 3 writes them. */
export const keras3 = {
  dense: (name: string, units: number, options: Json = {}): Layer['config'] => ({
    name,
    trainable: true,
    dtype: policy,
    units,
    activation: 'linear',
    use_bias: true,
    kernel_initializer: initializer('GlorotUniform', { seed: null }),
    bias_initializer: initializer('Zeros'),
    kernel_regularizer: null,
    bias_regularizer: null,
    kernel_constraint: null,
    bias_constraint: null,
    ...options,
  }),
  batchNormalization: (name: string, options: Json = {}): Layer['config'] => ({
    name,
    trainable: true,
    dtype: policy,
    axis: -1,
    momentum: 0.99,
    epsilon: 0.001,
    center: true,
    scale: true,
    beta_initializer: initializer('Zeros'),
    gamma_initializer: initializer('Ones'),
    moving_mean_initializer: initializer('Zeros'),
    moving_variance_initializer: initializer('Ones'),
    beta_regularizer: null,
    gamma_regularizer: null,
    beta_constraint: null,
    gamma_constraint: null,
    synchronized: false,
    ...options,
  }),
  layerNormalization: (name: string, options: Json = {}): Layer['config'] => ({
    name,
    trainable: true,
    dtype: policy,
    axis: [-1],
    epsilon: 0.001,
    center: true,
    scale: true,
    rms_scaling: false,
    beta_initializer: initializer('Zeros'),
    gamma_initializer: initializer('Ones'),
    beta_regularizer: null,
    gamma_regularizer: null,
    beta_constraint: null,
    gamma_constraint: null,
    ...options,
  }),
  plain: (name: string, options: Json = {}): Layer['config'] => ({ name, trainable: true, dtype: policy, ...options }),
};

export function sequentialConfig(inputShape: readonly number[], layers: readonly Layer[]): Json {
  const input = { batch_shape: [null, ...inputShape], dtype: 'float32', sparse: false, ragged: false, name: 'input_layer' };
  const listed = layers.map(({ className, config }) => ({
    module: 'keras.layers',
    class_name: className,
    config,
    registered_name: null,
    build_config: { input_shape: [null] },
  }));
  const first = { module: 'keras.layers', class_name: 'InputLayer', config: input, registered_name: null };
  return { module: 'keras', class_name: 'Sequential', config: { name: 'sequential', trainable: true, dtype: policy, layers: [first, ...listed] }, registered_name: null };
}

/** Functional, each layer the input of the next. */
export function functionalConfig(inputShape: readonly number[], layers: readonly Layer[]): Json {
  const input = { batch_shape: [null, ...inputShape], dtype: 'float32', sparse: false, ragged: false, name: 'input_layer' };
  const names = ['input_layer', ...layers.map(({ config }) => config.name)];
  const tensor = (name: string): Json => ({ class_name: '__keras_tensor__', config: { shape: [null], dtype: 'float32', keras_history: [name, 0, 0] } });
  const listed = layers.map(({ className, config }, i) => ({
    module: 'keras.layers',
    class_name: className,
    config,
    registered_name: null,
    build_config: { input_shape: [null] },
    name: config.name,
    inbound_nodes: [{ args: [tensor(names[i]!)], kwargs: {} }],
  }));
  const first = { module: 'keras.layers', class_name: 'InputLayer', config: input, registered_name: null, name: 'input_layer', inbound_nodes: [] };
  const ends = { input_layers: [['input_layer', 0, 0]], output_layers: [[names.at(-1), 0, 0]] };
  return { module: 'keras', class_name: 'Functional', config: { name: 'functional', trainable: true, layers: [first, ...listed], ...ends }, registered_name: null };
}

/** The bytes of an HDF5 file that `fill` makes. */
export async function hdf5(fill: (file: File) => void): Promise<Uint8Array> {
  const { FS } = await ready;
  const file = new File('made.h5', 'w');
  fill(file);
  file.close();
  const bytes = FS.readFile('made.h5').slice();
  FS.unlink('made.h5');
  return bytes;
}

function put(group: Group, name: string, { shape, data }: Weight): void {
  group.create_dataset({ name, data, shape: [...shape], dtype: '<f4' });
}

/** The group at a path, made with those above it. */
function groupAt(file: Group, path: string): Group {
  return path.split('/').reduce((group, part) => (group.keys().includes(part) ? (group.get(part) as Group) : group.create_group(part)), file);
}

const snake = (name: string): string => name.replaceAll(/(?<!^)([A-Z])/g, '_$1').toLowerCase();

/** model.weights.h5 of a `.keras` file. */
export function archiveWeights(layers: readonly Layer[], root = 'layers'): Promise<Uint8Array> {
  return hdf5((file) => {
    const counts = new Map<string, number>();
    for (const { className, weights = [] } of layers) {
      const name = snake(className);
      const count = counts.get(name) ?? 0;
      counts.set(name, count + 1);
      const vars = groupAt(file, `${root}/${count === 0 ? name : `${name}_${count}`}/vars`);
      weights.forEach(([, weight], i) => {
        put(vars, String(i), weight);
      });
    }
    groupAt(file, 'optimizer/vars').create_dataset({ name: '0', data: Float32Array.of(7), shape: [1], dtype: '<f4' });
  });
}

/** A `.keras` file. */
export async function kerasArchive(config: Json, layers: readonly Layer[], root?: string): Promise<Buffer> {
  return zip({
    'metadata.json': Buffer.from(JSON.stringify({ keras_version: '3.8.0', date_saved: '2025-01-01@00:00:00' })),
    'config.json': Buffer.from(JSON.stringify(config)),
    'model.weights.h5': Buffer.from(await archiveWeights(layers, root)),
  });
}

/** A `.h5` file of Keras 2 and of Keras 3's older format: `suffix` is what TensorFlow adds to the names of weights, ':0'. */
export function legacyHdf5(config: Json, layers: readonly Layer[], suffix = ':0'): Promise<Uint8Array> {
  return hdf5((file) => {
    file.create_attribute('keras_version', '2.15.0');
    file.create_attribute('backend', 'tensorflow');
    file.create_attribute('model_config', JSON.stringify(config));
    const weights = file.create_group('model_weights');
    const texts = (group: Group, name: string, values: readonly string[]): void => {
      // numpy's texts of one length, filled up with zeros.
      const length = Math.max(1, ...values.map((value) => value.length));
      if (values.length > 0) group.create_attribute(name, [...values], [values.length], `S${length}`);
      else group.create_attribute(name, new Float64Array(0), [0]);
    };
    texts(
      weights,
      'layer_names',
      layers.map(({ config }) => config.name),
    );
    for (const { config, weights: own = [] } of layers) {
      const group = weights.create_group(config.name);
      texts(
        group,
        'weight_names',
        own.map(([name]) => `${config.name}/${name}${suffix}`),
      );
      for (const [name, weight] of own) put(groupAt(group, config.name), `${name}${suffix}`, weight);
    }
  });
}

/** A zip archive: stored or deflated members, as Python's zipfile writes them. */
export function zip(members: Readonly<Record<string, Buffer>>, method: 0 | 8 = 0): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const [name, bytes] of Object.entries(members)) {
    const packed = method === 8 ? deflateRawSync(bytes) : bytes;
    const header = Buffer.alloc(30);
    header.writeUInt32LE(0x04034b50, 0);
    header.writeUInt16LE(20, 4);
    header.writeUInt16LE(method, 8);
    header.writeUInt32LE(crc32(bytes), 14);
    header.writeUInt32LE(packed.length, 18);
    header.writeUInt32LE(bytes.length, 22);
    header.writeUInt16LE(name.length, 26);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    header.copy(entry, 6, 4, 30);
    entry.writeUInt32LE(at, 42);
    parts.push(header, Buffer.from(name), packed);
    directory.push(entry, Buffer.from(name));
    at += 30 + name.length + packed.length;
  }
  const list = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Object.keys(members).length, 8);
  end.writeUInt16LE(Object.keys(members).length, 10);
  end.writeUInt32LE(list.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...parts, list, end]);
}
