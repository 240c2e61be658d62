/**
 * Room: model (level 4). What users hold: a chain of layers, with weights once it has been initialised, loaded or trained.
 */
import { shape as checkShape, nonNegativeInteger, show } from '../check.ts';
import { decodeMetadata, decodeSafetensors, type NamedTensor, readSafetensors, writeSafetensors } from '../checkpoint/safetensors.ts';
import { readUserFile } from '../config/file.ts';
import type { LayerConfigInput, ModelConfig } from '../config/layers.ts';
import { parseModelConfig } from '../config/parse.ts';
import { field } from '../config/rules.ts';
import { arraySource, type NestedNumbers } from '../data/arrays.ts';
import { LockstepError } from '../errors.ts';
import { formatShape, type Shape, sameShape, sizeOf } from '../memory/shape.ts';
import { type FoldReport, fold } from './fold.ts';
import { checkOnce, Layer, type LayerWeights } from './layer-handle.ts';
import { type LayerNames, type LoadReport, takeLayers } from './partial.ts';
import { type Predictions, type PredictMode, predict } from './predict.ts';
import { countParameters, type ParameterCount, summaryTable } from './summary.ts';
import { resolveTopology, type Topology } from './topology.ts';
import { copyTensors, initialWeights, matchWeights, type Weights, weightsHash } from './weights.ts';

export class Model {
  /** The model as plain data, every default filled in. `new Model(model.config)` is the same model without weights. */
  readonly config: ModelConfig;
  #topology: Topology | undefined;
  /** By layer; other models may hold the same. */
  readonly #weights: readonly LayerWeights[];

  /** `weights` are those of layers that come from other models, by layer; absent where a layer is new. */
  constructor(config: ModelConfig, weights: readonly (LayerWeights | undefined)[] = []) {
    checkOnce(config, weights);
    this.config = config;
    this.#weights = config.layers.map((_, i) => weights[i] ?? { tensors: undefined });
    if (config.layers[0]?.inputShape) this.#topology = resolveTopology(config);
  }

  /** The plain data of the model, for JSON: `sequential(model.toConfig().layers)` gives it back. */
  toConfig(): ModelConfig {
    return structuredClone(this.config);
  }

  /** Shapes and weights. Throws LOCKSTEP_SHAPE while the input shape is known neither from the first layer nor from data. */
  get topology(): Topology {
    this.#topology ??= resolveTopology(this.config);
    return this.#topology;
  }

  /** Fixes the input shape from data. A model that declares another, or has weights for another, refuses it with LOCKSTEP_SHAPE. */
  build(inputShape: Shape): void {
    const before = this.#topology?.inputShape;
    if (before && sameShape(before, inputShape)) return;
    const topology = resolveTopology(this.config, inputShape);
    if (before && this.#weights.some(({ tensors }) => tensors !== undefined)) {
      throw new LockstepError(
        'LOCKSTEP_SHAPE',
        `Expected samples of the shape that the model has weights for, ${formatShape(before)}, got ${formatShape(inputShape)}; train a new model on them.`,
      );
    }
    this.#topology = topology;
  }

  /** Numbers of parameters: all, those that are trained, and those that are not (moving statistics). */
  countParams(): ParameterCount {
    return countParameters(this.topology);
  }

  /** Keras' table of layers, output shapes and parameters; printed with `print` (default: standard output) and returned. */
  summary(print: (text: string) => void = (text) => process.stdout.write(`${text}\n`)): string {
    const table = summaryTable(this.topology, this.config.name);
    print(table);
    return table;
  }

  /**
   * The layers, first to last, each with its weights: `sequential([...model.layers.slice(0, -1), layers.dense({ units: 5 })])` is a model that shares all weights but the
   * last layer's with this one; `.map((layer) => layer.copy())` makes weights of its own.
   */
  get layers(): readonly Layer[] {
    return this.topology.layers.map(({ name, config, inputShape, definition }, i) => new Layer(name, config, inputShape, definition.outputShape, this.#weights[i]!));
  }

  /** True once all layers have weights. */
  get isInitialized(): boolean {
    return this.#without().length === 0;
  }

  /** Draws first weights from `seed`, an integer >= 0, replacing any; with `missing` only those of layers that have none. */
  initialize(seed: number, { missing = false }: { readonly missing?: boolean } = {}): void {
    const drawn = initialWeights(this.topology, nonNegativeInteger('seed', seed));
    this.#keep(drawn, missing ? new Set(this.#without()) : undefined);
  }

  /** Layers that should have weights and have none. */
  #without(): number[] {
    const { weights } = this.topology;
    return this.#weights.flatMap(({ tensors }, i) => (tensors === undefined && weights.some(({ layer }) => layer === i) ? [i] : []));
  }

  /** Gives layers, or `only` some of them, their part of the model's weights. */
  #keep(weights: Weights, only?: ReadonlySet<number>): void {
    const entries = this.topology.weights;
    for (const [layer, shared] of this.#weights.entries()) {
      if (only && !only.has(layer)) continue;
      const own = weights.filter((_, i) => entries[i]!.layer === layer);
      if (own.length > 0) shared.tensors = own.map((tensor) => ({ ...tensor, name: tensor.name.slice(tensor.name.lastIndexOf('/') + 1) }));
    }
  }

  /** All weights in model order, named `<layer name>/<weight name>`. Throws LOCKSTEP_USAGE before there are any. */
  getWeights(): Weights {
    const without = this.#without();
    if (without.length > 0) {
      const { layers } = this.topology;
      const some = without.length < new Set(this.topology.weights.map(({ layer }) => layer)).size;
      const names = without.map((i) => layers[i]!.name);
      const received = some ? `none yet for \`${names.join('`, `')}\`` : 'none yet';
      const mend = some ? 'train it, or call `initialize(seed, { missing: true })`' : 'train it, or call `initialize(seed)` or `load(path)` first';
      throw new LockstepError('LOCKSTEP_USAGE', `Expected the model to have weights, got ${received}; ${mend}.`);
    }
    const found = this.topology.layers.flatMap(({ name }, i) => (this.#weights[i]!.tensors ?? []).map((tensor) => ({ ...tensor, name: `${name}/${tensor.name}` })));
    return matchWeights(this.topology, new Map(found.map((tensor) => [tensor.name, tensor])), 'the layers of the model');
  }

  /** Takes copies of weights by name. Throws LOCKSTEP_WEIGHTS when they are not exactly those of the model; `what` names their origin. */
  setWeights(tensors: Iterable<NamedTensor>, what = 'the weights'): void {
    this.#keep(matchWeights(this.topology, copyTensors(tensors, what), what));
  }

  /**
   * Takes copies of the weights of those layers that are there as a whole, in the right shapes; `names` maps names of layers there to names here. All other layers keep
   * what they have. Throws LOCKSTEP_WEIGHTS when no layer fits.
   */
  setSomeWeights(tensors: Iterable<NamedTensor>, names: LayerNames = {}, what = 'the weights'): LoadReport {
    const { found, report } = takeLayers(this.topology, copyTensors(tensors, what), names, what);
    const taken = new Set(report.loaded.map(({ layer }) => layer));
    for (const [i, { name }] of this.topology.layers.entries()) {
      if (taken.has(name))
        this.#weights[i]!.tensors = [...found].flatMap(([key, tensor]) => (key.startsWith(`${name}/`) ? [{ ...tensor, name: key.slice(name.length + 1) }] : []));
    }
    return report;
  }

  /** Reads weights from a safetensors file. */
  load(path: string): void {
    this.#keep(matchWeights(this.topology, readSafetensors(path), `\`${path}\``));
  }

  /** Writes the whole model to a safetensors file: its weights, and in the metadata its layers and input shape, from which `Model.from` makes it again. */
  async save(path: string): Promise<void> {
    const { inputShape } = this.topology;
    await writeSafetensors(path, this.getWeights(), { format: 'lockstep', model: JSON.stringify({ config: this.config, inputShape }) });
  }

  /**
   * The model that `save` wrote: its layers, its input shape and its weights. Throws LOCKSTEP_FILE when the file cannot be read, LOCKSTEP_WEIGHTS
   * when it is malformed or holds weights alone, which `load` reads into a model of the same layers.
   */
  static from(path: string): Model {
    const bytes = readUserFile(path, 'a model file');
    const what = `\`${path}\``;
    const { config, inputShape } = savedModel(decodeMetadata(bytes, what)['model'], what);
    const model = new Model(config);
    model.build(inputShape);
    model.#keep(matchWeights(model.topology, decodeSafetensors(bytes, what), what));
    return model;
  }

  /**
   * This model for inference: every batch normalisation that stands before or after a Dense becomes part of it, by its moving statistics. Outputs are the same
   * but for rounding; what was trained on is no longer normalised, so train this one and not that. `kept` says which could not be folded, and why.
   */
  fold(): FoldReport & { readonly model: Model } {
    const { config, weights, folded, kept } = fold(this.topology, this.config, this.getWeights());
    const model = new Model(config);
    model.setWeights(weights);
    return { model, folded, kept };
  }

  /** SHA-256 over the raw little-endian float32 of all weights, moving statistics included, in model order. */
  get weightsSha256(): string {
    return weightsHash(this.getWeights());
  }

  /**
   * The model's outputs for rows, nested arrays or row-major numbers, as the model is to see them: data that was divided by a
   * scale in training must be divided by it here. In the calling thread; softmax gives probabilities. `{ training: true }` computes as a training step does.
   */
  predict(rows: NestedNumbers | Float32Array, mode: PredictMode = {}): Predictions {
    const { inputShape } = this.topology;
    const values = rows instanceof Float32Array ? rows : flatRows(rows, inputShape);
    return predict(this.config, inputShape, this.getWeights(), values, mode);
  }
}

function savedModel(text: string | undefined, what: string): { config: ModelConfig; inputShape: Shape } {
  if (text === undefined) {
    throw new LockstepError('LOCKSTEP_WEIGHTS', `Expected ${what} to hold a model, got weights alone; make the model from its config and \`load\` them.`);
  }
  try {
    const saved: unknown = JSON.parse(text);
    return { config: parseModelConfig(field(saved, 'config')), inputShape: checkShape('inputShape', field(saved, 'inputShape')) };
  } catch (cause) {
    const reason = (cause instanceof Error ? cause.message : String(cause)).replaceAll(/\s*\n\s*/g, ' ').replace(/\.$/, '');
    throw new LockstepError(
      'LOCKSTEP_WEIGHTS',
      `Expected the model in the metadata of ${what} to be whole, got one that breaks a rule (${reason}); the file is damaged.`,
      { cause },
    );
  }
}

function flatRows(rows: NestedNumbers, inputShape: Shape): Float32Array {
  if (!Array.isArray(rows)) {
    // Bytes are refused too: those of a training with a scale would give wrong predictions without a word.
    const mend = 'convert typed arrays with Float32Array.from, and divide by the scale of the training data';
    throw new LockstepError('LOCKSTEP_DATA', `Expected rows as nested arrays or a Float32Array, got ${show(rows)}; ${mend}.`);
  }
  const source = arraySource({ x: rows, y: new Int32Array(rows.length), name: 'the rows' });
  if (!sameShape(source.inputShape, inputShape)) {
    throw new LockstepError(
      'LOCKSTEP_SHAPE',
      `Expected rows of shape [${inputShape.join(', ')}], got [${source.inputShape.join(', ')}]; one row of the model's input is that shape.`,
    );
  }
  const values = new Float32Array(source.length * sizeOf(inputShape));
  source.readAll(values);
  return values;
}

/**
 * A model from its layers, first to last: new ones, or layers of other models with their weights and names. Throws LOCKSTEP_CONFIG with all problems, LOCKSTEP_SHAPE when
 * layers do not fit.
 */
export function sequential(layers: readonly (LayerConfigInput | Layer)[], options: { readonly name?: string } = {}): Model {
  if (!Array.isArray(layers) || !layers.some((layer) => layer instanceof Layer)) return new Model(parseModelConfig({ ...named(options), layers }));
  const configs = layers.map((layer: LayerConfigInput | Layer, i) => {
    if (!(layer instanceof Layer)) return layer;
    const { inputShape: _, ...config } = layer.config;
    return { ...config, name: layer.name, ...(i === 0 && { inputShape: [...layer.inputShape] }) };
  });
  const weights = layers.map((layer) => (layer instanceof Layer ? layer.shared : undefined));
  return new Model(parseModelConfig({ ...named(options), layers: configs }), weights);
}

function named({ name }: { readonly name?: string }): { readonly name?: string } {
  return name === undefined ? {} : { name };
}
