/**
 * Room: interop (level 4). A graph of ONNX in the making: a chain of operations on one value, and the constants that they need.
 */
import type { Shape } from '../memory/shape.ts';
import type { Attribute, OnnxConstant, OnnxGraph, OnnxNode } from './onnx-proto.ts';

const [input, output] = ['input', 'output'];

export class GraphBuilder {
  /** The value that the last operation made. */
  value: string = input;
  readonly #nodes: OnnxNode[] = [];
  readonly #constants: OnnxConstant[] = [];
  /** How often each name was asked for. */
  readonly #taken = new Map<string, number>([
    [input, 1],
    [output, 1],
  ]);

  /** Adds an operation for `layer`, by default on the present value and the constants; what it makes becomes the present value. */
  add(layer: string, op: string, inputs: readonly string[], attributes: Readonly<Record<string, Attribute>> = {}): string {
    const name = this.#free(`${layer}/${op}`);
    this.#nodes.push({ op, name, inputs, output: name, attributes });
    this.value = name;
    return name;
  }

  /** Adds a constant of float32; its name. */
  constant(name: string, shape: Shape, data: Float32Array): string {
    const free = this.#free(name);
    this.#constants.push({ name: free, shape, data });
    return free;
  }

  /** A single number. */
  scalar(name: string, value: number): string {
    return this.constant(name, [], Float32Array.of(value));
  }

  /** A list of integers. */
  integers(name: string, values: readonly number[]): string {
    const free = this.#free(name);
    this.#constants.push({ name: free, shape: [values.length], integers: values });
    return free;
  }

  /** The graph from `input` to `output`; one without operations copies. */
  finish(name: string, inputShape: Shape, outputShape: Shape): OnnxGraph {
    if (this.#nodes.length === 0) this.add(name, 'Identity', [input]);
    const last = this.#nodes.length - 1;
    const nodes = this.#nodes.map((node, i) => (i === last ? { ...node, output } : node));
    return { name, nodes, constants: this.#constants, input: { name: input, sampleShape: inputShape }, output: { name: output, sampleShape: outputShape } };
  }

  /** Values, constants and operations share one space of names here. */
  #free(name: string): string {
    const count = this.#taken.get(name) ?? 0;
    this.#taken.set(name, count + 1);
    return count === 0 ? name : this.#free(`${name}_${count}`);
  }
}
