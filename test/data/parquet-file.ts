/**
 * Room: tests of data. Parquet files made by hand from the format's own description: thrift's compact protocol, one plain data page a
 * column and row group, stored, in gzip, or in frames of snappy and zstd that hold their bytes as they are.
 */
import { gzipSync } from 'node:zlib';

export type Column = {
  readonly name: string;
  readonly values: readonly (number | bigint | string | boolean | null)[];
  readonly type: 'boolean' | 'int32' | 'int64' | 'float' | 'double' | 'text';
};
export type Codec = 'none' | 'snappy' | 'gzip' | 'zstd';

const typeCodes = { boolean: 0, int32: 1, int64: 2, float: 4, double: 5, text: 6 } as const;
const codecCodes = { none: 0, snappy: 1, gzip: 2, zstd: 6 } as const;

type Field = readonly [id: number, kind: 'i32' | 'i64' | 'text' | 'struct' | 'i32s' | 'texts' | 'structs', value: unknown];
const kinds = { i32: 5, i64: 6, text: 8, struct: 12, i32s: 9, texts: 9, structs: 9 } as const;

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Buffer.from([...bytes, rest]);
}

const text = (value: string): Buffer => Buffer.concat([varint(Buffer.byteLength(value)), Buffer.from(value)]);

function list(kind: number, items: readonly Buffer[]): Buffer {
  const head = items.length < 15 ? Buffer.from([items.length * 16 + kind]) : Buffer.concat([Buffer.from([0xf0 + kind]), varint(items.length)]);
  return Buffer.concat([head, ...items]);
}

/** Fields in the order of their ids, at most 15 apart; numbers are not negative. */
function struct(fields: readonly Field[]): Buffer {
  let last = 0;
  const parts = fields.map(([id, kind, value]) => {
    const head = Buffer.from([(id - last) * 16 + kinds[kind]]);
    last = id;
    return Buffer.concat([head, encoded(kind, value)]);
  });
  return Buffer.concat([...parts, Buffer.from([0])]);
}

function encoded(kind: Field[1], value: unknown): Buffer {
  if (kind === 'i32' || kind === 'i64') return varint((value as number) * 2);
  if (kind === 'text') return text(value as string);
  if (kind === 'i32s')
    return list(
      5,
      (value as number[]).map((item) => varint(item * 2)),
    );
  if (kind === 'texts') return list(8, (value as string[]).map(text));
  if (kind === 'structs') return list(12, value as Buffer[]);
  return value as Buffer;
}

function plain({ type, values }: Column): Buffer {
  const there = values.filter((value) => value !== null);
  if (type === 'boolean') {
    const bits = Buffer.alloc(Math.ceil(there.length / 8));
    for (const [index, value] of there.entries()) if (value) bits[index >> 3]! |= 1 << (index & 7);
    return bits;
  }
  return Buffer.concat(
    there.map((value) => {
      const bytes = Buffer.alloc(type === 'int32' || type === 'float' ? 4 : 8);
      if (type === 'int32') bytes.writeInt32LE(Number(value));
      else if (type === 'int64') bytes.writeBigInt64LE(BigInt(value as number));
      else if (type === 'float') bytes.writeFloatLE(Number(value));
      else if (type === 'double') bytes.writeDoubleLE(Number(value));
      else {
        const size = Buffer.alloc(4);
        size.writeUInt32LE(Buffer.byteLength(String(value)));
        return Buffer.concat([size, Buffer.from(String(value))]);
      }
      return bytes;
    }),
  );
}

/** Definition levels, 1 where there is a value: runs of length 1 in RLE, with their size before them. */
function levels({ values }: Column): Buffer {
  const runs = Buffer.from(values.flatMap((value) => [2, value === null ? 0 : 1]));
  const size = Buffer.alloc(4);
  size.writeUInt32LE(runs.length);
  return Buffer.concat([size, runs]);
}

function packed(bytes: Buffer, codec: Codec): Buffer {
  const size = Buffer.alloc(4);
  if (codec === 'gzip') return gzipSync(bytes);
  if (codec === 'snappy') {
    size.writeUInt32LE(bytes.length - 1);
    return Buffer.concat([varint(bytes.length), Buffer.from([63 << 2]), size, bytes]);
  }
  if (codec === 'zstd') {
    size.writeUInt32LE(bytes.length);
    const block = Buffer.alloc(4);
    block.writeUInt32LE(bytes.length * 8 + 1);
    return Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xa0]), size, block.subarray(0, 3), bytes]);
  }
  return bytes;
}

/** A file of the columns, cut into groups of `groupRows` rows. */
export function parquetBytes(columns: readonly Column[], codec: Codec = 'none', groupRows = Number.POSITIVE_INFINITY): Buffer {
  const rows = columns[0]!.values.length;
  const parts: Buffer[] = [Buffer.from('PAR1')];
  let position = 4;
  const groups: Buffer[] = [];
  for (let first = 0; first < rows; first += groupRows) {
    const chunks = columns.map((whole) => {
      const column = { ...whole, values: whole.values.slice(first, first + groupRows) };
      const { name, type, values } = column;
      const page = Buffer.concat([levels(column), plain(column)]);
      const body = packed(page, codec);
      const pageHeader = struct([
        [1, 'i32', values.length],
        [2, 'i32', 0],
        [3, 'i32', 3],
        [4, 'i32', 3],
      ]);
      const header = struct([
        [1, 'i32', 0],
        [2, 'i32', page.length],
        [3, 'i32', body.length],
        [5, 'struct', pageHeader],
      ]);
      const size = header.length + body.length;
      const meta = struct([
        [1, 'i32', typeCodes[type]],
        [2, 'i32s', [0, 3]],
        [3, 'texts', [name]],
        [4, 'i32', codecCodes[codec]],
        [5, 'i64', values.length],
        [6, 'i64', header.length + page.length],
        [7, 'i64', size],
        [9, 'i64', position],
      ]);
      parts.push(header, body);
      const chunk = struct([
        [2, 'i64', position],
        [3, 'struct', meta],
      ]);
      position += size;
      return chunk;
    });
    groups.push(
      struct([
        [1, 'structs', chunks],
        [2, 'i64', position],
        [3, 'i64', Math.min(groupRows, rows - first)],
      ]),
    );
  }
  const leaves = columns.map(({ name, type }) =>
    struct([[1, 'i32', typeCodes[type]], [3, 'i32', 1], [4, 'text', name], ...(type === 'text' ? [[6, 'i32', 0] as const] : [])]),
  );
  const footer = struct([
    [1, 'i32', 1],
    [
      2,
      'structs',
      [
        struct([
          [4, 'text', 'schema'],
          [5, 'i32', columns.length],
        ]),
        ...leaves,
      ],
    ],
    [3, 'i64', rows],
    [4, 'structs', groups],
  ]);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(footer.length);
  return Buffer.concat([...parts, footer, size, Buffer.from('PAR1')]);
}
