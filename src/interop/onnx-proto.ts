/**
 * Room: interop (level 4). ONNX's messages as protocol buffers, as far as our graphs need them. Numbers of fields: onnx/onnx.proto of ONNX 1.15, which
 * also says that a file may be no larger than 2 GiB.
 */
import protobuf from 'protobufjs/minimal.js';
import type { Tensor } from '../checkpoint/safetensors.ts';
import type { Shape } from '../memory/shape.ts';

export type Attribute = { readonly float: number } | { readonly int: number } | { readonly ints: readonly number[] } | { readonly text: string };

/** One operation: its inputs and its only output by name. */
export interface OnnxNode {
  readonly op: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly output: string;
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** A constant of the graph. */
export type OnnxConstant = { readonly name: string } & (Tensor | { readonly shape: Shape; readonly integers: readonly number[] });

/** A value that goes in or comes out, the batch first and of any size. */
interface OnnxValue {
  readonly name: string;
  readonly sampleShape: Shape;
}

export interface OnnxGraph {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly constants: readonly OnnxConstant[];
  readonly input: OnnxValue;
  readonly output: OnnxValue;
}

/** Operations as of opset 13 are understood by every runtime since 2020; version 7 of the format is theirs. */
const opset = 13;
const formatVersion = 7;

type Writer = protobuf.Writer;

const [varint, fixed32, delimited] = [0, 5, 2];

function tag(writer: Writer, field: number, wire: number): Writer {
  return writer.uint32(field * 8 + wire);
}

function text(writer: Writer, field: number, value: string): void {
  tag(writer, field, delimited).string(value);
}

function integer(writer: Writer, field: number, value: number): void {
  tag(writer, field, varint).int64(value);
}

function message(writer: Writer, field: number, fill: (inner: Writer) => void): void {
  fill(tag(writer, field, delimited).fork());
  writer.ldelim();
}

/** ModelProto. */
export function encodeModel(graph: OnnxGraph): Uint8Array {
  const writer = protobuf.Writer.create();
  integer(writer, 1, formatVersion);
  text(writer, 2, 'lockstep');
  message(writer, 7, (inner) => writeGraph(inner, graph));
  message(writer, 8, (inner) => {
    text(inner, 1, '');
    integer(inner, 2, opset);
  });
  return writer.finish();
}

/** GraphProto. */
function writeGraph(writer: Writer, { name, nodes, constants, input, output }: OnnxGraph): void {
  for (const node of nodes) message(writer, 1, (inner) => writeNode(inner, node));
  text(writer, 2, name);
  for (const constant of constants) message(writer, 5, (inner) => writeConstant(inner, constant));
  message(writer, 11, (inner) => writeValue(inner, input));
  message(writer, 12, (inner) => writeValue(inner, output));
}

/** NodeProto. */
function writeNode(writer: Writer, { op, name, inputs, output, attributes }: OnnxNode): void {
  for (const input of inputs) text(writer, 1, input);
  text(writer, 2, output);
  text(writer, 3, name);
  text(writer, 4, op);
  for (const [key, value] of Object.entries(attributes)) message(writer, 5, (inner) => writeAttribute(inner, key, value));
}

const attributeType = { float: 1, int: 2, text: 3, ints: 7 };

/** AttributeProto. */
function writeAttribute(writer: Writer, name: string, value: Attribute): void {
  text(writer, 1, name);
  if ('float' in value) tag(writer, 2, fixed32).float(value.float);
  else if ('int' in value) integer(writer, 3, value.int);
  else if ('text' in value) text(writer, 4, value.text);
  else for (const item of value.ints) integer(writer, 8, item);
  const [kind] = Object.keys(value) as [keyof typeof attributeType];
  integer(writer, 20, attributeType[kind]);
}

const dataType = { float32: 1, int64: 7 };

/** TensorProto, its numbers as raw little-endian bytes. */
function writeConstant(writer: Writer, constant: OnnxConstant): void {
  for (const size of constant.shape) integer(writer, 1, size);
  const isFloat = 'data' in constant;
  integer(writer, 2, isFloat ? dataType.float32 : dataType.int64);
  text(writer, 8, constant.name);
  const values = isFloat ? constant.data : BigInt64Array.from(constant.integers, BigInt);
  tag(writer, 9, delimited).bytes(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
}

/** ValueInfoProto of a float32 tensor. */
function writeValue(writer: Writer, { name, sampleShape }: OnnxValue): void {
  text(writer, 1, name);
  message(writer, 2, (type) =>
    message(type, 1, (tensor) => {
      integer(tensor, 1, dataType.float32);
      message(tensor, 2, (shape) => {
        message(shape, 1, (batch) => text(batch, 2, 'batch'));
        for (const size of sampleShape) message(shape, 1, (dimension) => integer(dimension, 1, size));
      });
    }),
  );
}
