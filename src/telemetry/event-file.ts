/**
 * Room: telemetry (level 2). TensorBoard's event files as bytes: protobuf messages `Event`, each framed as a TFRecord. Pure functions; who
 * writes them to a disk is tensorboard.ts. As protobuf's own writers do, fields that are zero are left out, except a scalar's value.
 *
 *   record: length (uint64) | masked CRC-32C of the length (uint32) | message | masked CRC-32C of the message (uint32), little-endian
 *   Event:  1 wall_time double | 2 step int64 | 3 file_version string | 5 summary Summary
 *   Summary: 1 value (repeated): 1 tag string | 2 simple_value float | 5 histo HistogramProto
 *   HistogramProto: 1 min | 2 max | 3 num | 4 sum | 5 sum_squares, doubles | 6 bucket_limit | 7 bucket, packed doubles
 */
import { maskedCrc32c } from './crc32c.ts';

/** Bucket `i` holds the numbers from `limits[i - 1]` (the first: `min`) to `limits[i]`. */
export interface Histogram {
  readonly min: number;
  readonly max: number;
  /** How many numbers, their sum, and the sum of their squares. */
  readonly num: number;
  readonly sum: number;
  readonly sumSquares: number;
  /** Rising. */
  readonly limits: ArrayLike<number>;
  /** As long as `limits`. */
  readonly counts: ArrayLike<number>;
}

/** A moment of a run: its step, and seconds since 1970. */
export interface Moment {
  readonly step: number;
  readonly wallTime: number;
}

/** Protobuf's wire types. */
const wire = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;
const nothing = Buffer.alloc(0);

/** The record that every event file begins with. */
export function versionRecord(wallTime: number): Buffer {
  return record([double(1, wallTime), text(3, 'brain.Event:2')]);
}

/** One event with a scalar for each tag. A number that float32 cannot hold becomes infinite. */
export function scalarsRecord(moment: Moment, scalars: Readonly<Record<string, number>>): Buffer {
  return event(
    moment,
    Object.entries(scalars).map(([tag, value]) => message(1, [text(1, tag), float(2, value)])),
  );
}

export function histogramRecord(moment: Moment, tag: string, { min, max, num, sum, sumSquares, limits, counts }: Histogram): Buffer {
  const histogram = [double(1, min), double(2, max), double(3, num), double(4, sum), double(5, sumSquares), doubles(6, limits), doubles(7, counts)];
  return event(moment, [message(1, [text(1, tag), message(5, histogram)])]);
}

function event({ step, wallTime }: Moment, values: readonly Buffer[]): Buffer {
  return record([double(1, wallTime), integer(2, step), message(5, values)]);
}

function record(fields: readonly Buffer[]): Buffer {
  const data = Buffer.concat(fields);
  const framed = Buffer.alloc(16 + data.length);
  framed.writeBigUInt64LE(BigInt(data.length), 0);
  framed.writeUInt32LE(maskedCrc32c(framed.subarray(0, 8)), 8);
  data.copy(framed, 12);
  framed.writeUInt32LE(maskedCrc32c(data), 12 + data.length);
  return framed;
}

/** A whole number from 0, seven bits a byte, the lowest first. */
function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return Buffer.from([...bytes, rest]);
}

function key(field: number, type: (typeof wire)[keyof typeof wire]): Buffer {
  return varint(field * 8 + type);
}

function integer(field: number, value: number): Buffer {
  return value === 0 ? nothing : Buffer.concat([key(field, wire.varint), varint(value)]);
}

function double(field: number, value: number): Buffer {
  if (Object.is(value, 0)) return nothing;
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return Buffer.concat([key(field, wire.fixed64), bytes]);
}

function float(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return Buffer.concat([key(field, wire.fixed32), bytes]);
}

function doubles(field: number, values: ArrayLike<number>): Buffer {
  if (values.length === 0) return nothing;
  const bytes = Buffer.alloc(8 * values.length);
  for (let i = 0; i < values.length; i++) bytes.writeDoubleLE(values[i]!, 8 * i);
  return message(field, [bytes]);
}

function text(field: number, value: string): Buffer {
  return message(field, [Buffer.from(value)]);
}

function message(field: number, parts: readonly Buffer[]): Buffer {
  const length = parts.reduce((bytes, part) => bytes + part.length, 0);
  return Buffer.concat([key(field, wire.bytes), varint(length), ...parts]);
}
