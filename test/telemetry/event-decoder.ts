/**
 * Room: tests of telemetry. Event files read back, straight from the descriptions of TFRecord and protobuf and sharing nothing with what
 * writes them: checksums are taken bit by bit, integers are bigints, unknown fields are refused.
 */

export interface DecodedValue {
  readonly tag: string;
  readonly scalar?: number;
  readonly histogram?: Readonly<Record<'min' | 'max' | 'num' | 'sum' | 'sumSquares', number>> & { readonly limits: number[]; readonly counts: number[] };
}

export interface DecodedEvent {
  readonly wallTime: number;
  readonly step: bigint;
  readonly version?: string;
  readonly values: DecodedValue[];
}

function maskedChecksum(bytes: Uint8Array): number {
  let crc = 0xffffffffn;
  for (const byte of bytes) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) crc = crc & 1n ? (crc >> 1n) ^ 0x82f63b78n : crc >> 1n;
  }
  crc ^= 0xffffffffn;
  return Number((((crc >> 15n) | (crc << 17n)) + 0xa282ead8n) & 0xffffffffn);
}

/** The messages of a file. Throws when a checksum is wrong, or a record is torn. */
export function decodeRecords(file: Buffer): Buffer[] {
  const records: Buffer[] = [];
  for (let at = 0; at < file.length; ) {
    const end = at + 12 + Number(file.readBigUInt64LE(at));
    if (file.readUInt32LE(at + 8) !== maskedChecksum(file.subarray(at, at + 8))) throw new Error(`wrong checksum of the length at ${at}`);
    const data = file.subarray(at + 12, end);
    if (file.readUInt32LE(end) !== maskedChecksum(data)) throw new Error(`wrong checksum of the record at ${at}`);
    records.push(data);
    at = end + 4;
  }
  return records;
}

interface Field {
  readonly number: number;
  readonly value: bigint | Buffer;
}

function fields(message: Buffer): Field[] {
  const found: Field[] = [];
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = message.readUInt8(at++);
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  const take = (bytes: number): Buffer => {
    if (at + bytes > message.length) throw new Error('a field beyond the end of its message');
    at += bytes;
    return message.subarray(at - bytes, at);
  };
  while (at < message.length) {
    const key = Number(varint());
    const widths: Record<number, () => bigint | Buffer> = { 0: varint, 1: () => take(8), 2: () => take(Number(varint())), 5: () => take(4) };
    found.push({ number: key >>> 3, value: widths[key & 7]!() });
  }
  return found;
}

/** What each field of a message is, by number; a field that is not named is an error. */
function read<T>(message: Buffer, readers: Readonly<Record<number, (value: never, into: T) => void>>, into: T): T {
  for (const { number, value } of fields(message)) {
    const reader = readers[number];
    if (!reader) throw new Error(`unknown field ${number}`);
    reader(value as never, into);
  }
  return into;
}

const packed = (bytes: Buffer): number[] => Array.from({ length: bytes.length / 8 }, (_, i) => bytes.readDoubleLE(8 * i));

type Histogram = { -readonly [K in keyof NonNullable<DecodedValue['histogram']>]: NonNullable<DecodedValue['histogram']>[K] };

function decodeHistogram(message: Buffer): Histogram {
  const names = ['min', 'max', 'num', 'sum', 'sumSquares'] as const;
  return read<Histogram>(
    message,
    {
      ...Object.fromEntries(names.map((name, i) => [i + 1, (value: Buffer, into: Histogram) => (into[name] = value.readDoubleLE())])),
      6: (value: Buffer, into) => into.limits.push(...packed(value)),
      7: (value: Buffer, into) => into.counts.push(...packed(value)),
    },
    { min: 0, max: 0, num: 0, sum: 0, sumSquares: 0, limits: [], counts: [] },
  );
}

function decodeValue(message: Buffer): DecodedValue {
  return read<{ tag: string; scalar?: number; histogram?: Histogram }>(
    message,
    {
      1: (value: Buffer, into) => (into.tag = value.toString()),
      2: (value: Buffer, into) => (into.scalar = value.readFloatLE()),
      5: (value: Buffer, into) => (into.histogram = decodeHistogram(value)),
    },
    { tag: '' },
  );
}

function decodeEvent(message: Buffer): DecodedEvent {
  return read<{ wallTime: number; step: bigint; version?: string; values: DecodedValue[] }>(
    message,
    {
      1: (value: Buffer, into) => (into.wallTime = value.readDoubleLE()),
      2: (value: bigint, into) => (into.step = BigInt.asIntN(64, value)),
      3: (value: Buffer, into) => (into.version = value.toString()),
      5: (value: Buffer, into) => read(value, { 1: (each: Buffer, all: DecodedValue[]) => all.push(decodeValue(each)) }, into.values),
    },
    { wallTime: 0, step: 0n, values: [] },
  );
}

/** The events of a file, in order. */
export function decodeEvents(file: Buffer): DecodedEvent[] {
  return decodeRecords(file).map(decodeEvent);
}
