/**
 * Room: interop (level 4). Writing ONNX: a graph that predicts as `model.predict` does, for any number of rows. Dropout and noise, which do nothing
 * then, are left out. Its input is `input`, its output `output`, its constants have the names of the weights.
 */
import type { Tensor } from '../checkpoint/safetensors.ts';
import { writeWhole } from '../checkpoint/whole-file.ts';
import type { ActivationConfig } from '../config/initializers.ts';
import type { LayerConfigOf } from '../config/layers.ts';
import { resolveActivation } from '../config/resolve.ts';
import { checkedAxes } from '../layers/axes.ts';
import { fillAxis } from '../layers/resizing.ts';
import { sizeOf } from '../memory/shape.ts';
import type { Model } from '../model/model.ts';
import type { NamedLayer } from '../model/topology.ts';
import { GraphBuilder } from './onnx-graph.ts';
import { encodeModel, type OnnxGraph } from './onnx-proto.ts';
import { unsupported } from './refusals.ts';

/** What protocol buffers take at most; a little is left for what is no weight. */
const mostBytes = 2 ** 31 - 2 ** 20;

/** Throws LOCKSTEP_CONFIG for a model that no ONNX file can hold, LOCKSTEP_FILE when the system refuses. */
export async function writeOnnxModel(model: Model, path: string): Promise<void> {
  const bytes = 4 * model.countParams().total;
  if (bytes > mostBytes) throw unsupported('the weights of a model in ONNX', `be at most ${mostBytes} bytes`, String(bytes), 'write another format');
  await writeWhole(path, encodeModel(onnxGraph(model)), 'the ONNX file');
}

function onnxGraph(model: Model): OnnxGraph {
  const { inputShape, outputShape, layers } = model.topology;
  const weights = new Map<string, Tensor>(model.getWeights().map((tensor) => [tensor.name, tensor]));
  const graph = new GraphBuilder();
  /** By layer: the value that is its output. */
  const outputs: string[] = [];
  const input = graph.value;
  for (const layer of layers) {
    addLayer(graph, layer, weights);
    for (const source of layer.sources) graph.add(layer.name, 'Add', [graph.value, source === -1 ? input : outputs[source]!]);
    outputs.push(graph.value);
  }
  return graph.finish(model.config.name ?? 'model', inputShape, outputShape);
}

function addLayer(graph: GraphBuilder, layer: NamedLayer, weights: ReadonlyMap<string, Tensor>): void {
  const { name, config, definition } = layer;
  switch (config.type) {
    case 'dense':
      addDense(graph, layer, weights);
      addActivation(graph, name, config.activation);
      break;
    case 'batchNormalization':
      addBatchNormalization(graph, layer, config, weights);
      break;
    case 'layerNormalization':
      addLayerNormalization(graph, layer, config, weights);
      break;
    case 'activation':
      addActivation(graph, name, config.activation);
      break;
    case 'masking':
      addMasking(graph, name, config.maskValue);
      break;
    case 'flatten':
      graph.add(name, 'Flatten', [graph.value], { axis: { int: 1 } });
      break;
    case 'reshape':
      // 0 leaves the batch as it is.
      graph.add(name, 'Reshape', [graph.value, graph.integers(`${name}/shape`, [0, ...definition.outputShape])]);
      break;
    case 'resizing':
      addResizing(graph, layer, config);
      break;
    case 'dropout':
    case 'alphaDropout':
    case 'gaussianNoise':
    case 'add':
      break;
    case 'scalarAffine':
      addScalars(graph, layer, weights);
      break;
    default:
      config satisfies never;
  }
}

/** The weight as a constant; undefined for one that the layer does not have. */
function weight(graph: GraphBuilder, name: string, weights: ReadonlyMap<string, Tensor>, shape?: readonly number[]): string | undefined {
  const tensor = weights.get(name);
  return tensor && graph.constant(name, shape ?? tensor.shape, tensor.data);
}

function addDense(graph: GraphBuilder, { name, inputShape }: NamedLayer, weights: ReadonlyMap<string, Tensor>): void {
  const kernel = weight(graph, `${name}/kernel`, weights)!;
  const bias = weight(graph, `${name}/bias`, weights);
  if (bias !== undefined && inputShape.length === 1) {
    graph.add(name, 'Gemm', [graph.value, kernel, bias]);
    return;
  }
  graph.add(name, 'MatMul', [graph.value, kernel]);
  if (bias !== undefined) graph.add(name, 'Add', [graph.value, bias]);
}

/** Means up to so many deviations from 0 leave enough digits to an operation that multiplies before it subtracts. */
const nearMean = 8;

/**
 * y = (x - mean) * scale + beta, scale = gamma / sqrt(variance + epsilon). ONNX' own operation knows the first dimension of a sample as its channels, and
 * runtimes compute x * scale + (beta - mean * scale): it is used where that is as exact.
 */
function addBatchNormalization(
  graph: GraphBuilder,
  { name, inputShape, definition }: NamedLayer,
  { axis, epsilon }: LayerConfigOf<'batchNormalization'>,
  weights: ReadonlyMap<string, Tensor>,
): void {
  const axes = checkedAxes(axis, inputShape, name);
  const channels = sizeOf(axes.map((at) => inputShape[at]!));
  const data = (part: string, otherwise: number): Float32Array => weights.get(`${name}/${part}`)?.data ?? new Float32Array(channels).fill(otherwise);
  const [gamma, beta, mean, variance] = [data('gamma', 1), data('beta', 0), data('moving_mean', 0), data('moving_variance', 1)];
  const deviation = Float64Array.from(variance, (value) => Math.sqrt(value + epsilon));
  if (axes.length === 1 && axes[0] === 0 && mean.every((value, c) => Math.abs(value) < nearMean * deviation[c]!)) {
    const constants = { gamma, beta, moving_mean: mean, moving_variance: variance };
    const inputs = Object.entries(constants).map(([part, values]) => graph.constant(`${name}/${part}`, [channels], values));
    graph.add(name, 'BatchNormalization', [graph.value, ...inputs], { epsilon: { float: epsilon } });
    return;
  }
  const shape = inputShape.map((size, at) => (axes.includes(at) ? size : 1));
  graph.add(name, 'Sub', [graph.value, graph.constant(`${name}/moving_mean`, shape, mean)]);
  graph.add(name, 'Mul', [
    graph.value,
    graph.constant(
      `${name}/scale`,
      shape,
      Float32Array.from(deviation, (value, c) => gamma[c]! / value),
    ),
  ]);
  if (definition.weights.some((one) => one.name === 'beta')) graph.add(name, 'Add', [graph.value, graph.constant(`${name}/beta`, shape, beta)]);
}

/**
 * In single operations: runtimes compute LayerNormalization's variance as the difference of two large numbers, which loses digits that we keep.
 */
function addLayerNormalization(
  graph: GraphBuilder,
  { name, inputShape }: NamedLayer,
  { axis, epsilon }: LayerConfigOf<'layerNormalization'>,
  weights: ReadonlyMap<string, Tensor>,
): void {
  const axes = checkedAxes(axis, inputShape, name);
  const shape = inputShape.map((size, at) => (axes.includes(at) ? size : 1));
  const mean = { axes: { ints: axes.map((at) => at + 1) }, keepdims: { int: 1 } };
  const x = graph.value;
  const centred = graph.add(name, 'Sub', [x, graph.add(name, 'ReduceMean', [x], mean)]);
  graph.add(name, 'ReduceMean', [graph.add(name, 'Mul', [centred, centred])], mean);
  graph.add(name, 'Add', [graph.value, graph.scalar(`${name}/epsilon`, epsilon)]);
  graph.add(name, 'Div', [centred, graph.add(name, 'Sqrt', [graph.value])]);
  const gamma = weight(graph, `${name}/gamma`, weights, shape);
  const beta = weight(graph, `${name}/beta`, weights, shape);
  if (gamma !== undefined) graph.add(name, 'Mul', [graph.value, gamma]);
  if (beta !== undefined) graph.add(name, 'Add', [graph.value, beta]);
}

/**
 * Bilinear by ONNX' operation, whose default are centres at halves; nearest by picking rows and columns, as runtimes differ by a pixel where a place lies between two.
 */
function addResizing(graph: GraphBuilder, { name, inputShape }: NamedLayer, { height, width, interpolation }: LayerConfigOf<'resizing'>): void {
  const [rows, columns] = [inputShape[0]!, inputShape[1]!];
  if (interpolation === 'nearest') {
    for (const [axis, inputs, outputs] of [[1, rows, height] as const, [2, columns, width] as const]) {
      const pixels = new Int32Array(3 * outputs);
      fillAxis(inputs, outputs, 1, interpolation, pixels);
      graph.add(name, 'Gather', [graph.value, graph.integers(`${name}/pixels`, [...pixels.subarray(0, outputs)])], { axis: { int: axis } });
    }
    return;
  }
  const scales = Float32Array.of(1, atLeast(height / rows), atLeast(width / columns), ...inputShape.slice(2).map(() => 1));
  graph.add(name, 'Resize', [graph.value, '', graph.constant(`${name}/scales`, [scales.length], scales)], { mode: { text: 'linear' } });
}

/** x (1 - m), m = 1 for steps whose numbers all equal the value: nothing later heeds masks in predictions. */
function addMasking(graph: GraphBuilder, name: string, maskValue: number): void {
  const x = graph.value;
  graph.add(name, 'Equal', [x, graph.scalar(`${name}/mask_value`, maskValue)]);
  graph.add(name, 'Cast', [graph.value], { to: { int: 1 } });
  const masked = graph.add(name, 'ReduceMin', [graph.value], { axes: { ints: [-1] }, keepdims: { int: 1 } });
  graph.add(name, 'Mul', [x, graph.add(name, 'Sub', [graph.scalar(`${name}/one`, 1), masked])]);
}

/** The least float32 that is not below: sizes are what is whole of size * scale. */
function atLeast(scale: number): number {
  const near = Math.fround(scale);
  return near >= scale ? near : near * (1 + 2 ** -23);
}

function addScalars(graph: GraphBuilder, { name }: NamedLayer, weights: ReadonlyMap<string, Tensor>): void {
  const multiplier = weight(graph, `${name}/multiplier`, weights);
  if (multiplier !== undefined) graph.add(name, 'Mul', [graph.value, multiplier]);
  const bias = weight(graph, `${name}/bias`, weights);
  if (bias !== undefined) graph.add(name, 'Add', [graph.value, bias]);
}

function addActivation(graph: GraphBuilder, name: string, config: ActivationConfig): void {
  const activation = resolveActivation(config);
  const alpha = { alpha: { float: activation.alpha } };
  const x = graph.value;
  switch (activation.type) {
    case 'linear':
      break;
    case 'relu':
      graph.add(name, 'Relu', [x]);
      break;
    case 'leakyReLU':
      graph.add(name, 'LeakyRelu', [x], alpha);
      break;
    case 'elu':
      graph.add(name, 'Elu', [x], alpha);
      break;
    case 'selu':
      graph.add(name, 'Selu', [x]);
      break;
    case 'tanh':
      graph.add(name, 'Tanh', [x]);
      break;
    case 'sigmoid':
      graph.add(name, 'Sigmoid', [x]);
      break;
    case 'softplus':
      graph.add(name, 'Softplus', [x]);
      break;
    case 'softmax':
      graph.add(name, 'Softmax', [x], { axis: { int: -1 } });
      break;
    case 'swish':
      graph.add(name, 'Mul', [x, graph.add(name, 'Sigmoid', [x])]);
      break;
    case 'gelu': {
      // x (1 + erf(x / sqrt 2)) / 2: the operation Gelu came with opset 20.
      graph.add(name, 'Erf', [graph.add(name, 'Mul', [x, graph.scalar(`${name}/half_root`, Math.SQRT1_2)])]);
      graph.add(name, 'Add', [graph.value, graph.scalar(`${name}/one`, 1)]);
      const half = graph.scalar(`${name}/half`, 0.5);
      const distribution = graph.add(name, 'Mul', [graph.value, half]);
      graph.add(name, 'Mul', [x, distribution]);
      break;
    }
    default: {
      activation.type satisfies never;
    }
  }
}
