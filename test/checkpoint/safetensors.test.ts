import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { decodeSafetensors, encodeSafetensors, type NamedTensor, readSafetensors, writeSafetensors } from '../../src/checkpoint/safetensors.ts';
import { LockstepError } from '../../src/errors.ts';

const folder = mkdtempSync(join(tmpdir(), 'lockstep-safetensors-'));
test.after.always(() => rmSync(folder, { recursive: true }));

const book = 'test/fixtures/oracles/run-book-mlp.init.safetensors';
const two: NamedTensor[] = [
  { name: 'dense/kernel', shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
  { name: 'dense/bias', shape: [3], data: Float32Array.of(-0, Number.POSITIVE_INFINITY, 1e-45) },
];

/** A file with this header and this many bytes of data. */
function fileOf(header: unknown, dataBytes: number): Uint8Array {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([prefix, json, Buffer.alloc(dataBytes)]);
}

function weightsRefusal(act: () => unknown): string {
  const error = outcomeOf(act);
  return error instanceof LockstepError && error.code === 'LOCKSTEP_WEIGHTS' ? error.message : `not a refusal: ${String(error)}`;
}

function outcomeOf(act: () => unknown): unknown {
  try {
    return act();
  } catch (error) {
    return error;
  }
}

test('the weights of the reference run are read with their names, shapes and numbers', (t) => {
  const tensors = readSafetensors(book);
  t.deepEqual([...tensors.keys()].slice(0, 5), ['gamma', 'beta', 'moving_mean', 'moving_variance'].map((name) => `batch_normalization/${name}`).concat('dense/kernel'));
  t.deepEqual(tensors.get('dense/kernel')?.shape, [784, 300]);
  t.deepEqual(new Set(tensors.get('batch_normalization/gamma')?.data), new Set([1]));
  const numbers = [...tensors.values()].reduce((sum, { data }) => sum + data.length, 0);
  t.is(numbers, 271_346);
});

test('a file survives decoding and encoding, also from a view that is not aligned', (t) => {
  const bytes = readFileSync(book);
  const tensors = decodeSafetensors(bytes);
  const again = encodeSafetensors([...tensors].map(([name, tensor]) => ({ name, ...tensor })));
  const shifted = new Uint8Array(again.length + 1);
  shifted.set(again, 1);
  t.deepEqual(decodeSafetensors(shifted.subarray(1)), tensors);
});

test('the header is padded so that data starts at a multiple of 8', (t) => {
  for (const name of ['a', 'ab', 'abc', 'äöü']) {
    const bytes = encodeSafetensors([{ name, shape: [], data: Float32Array.of(7) }], { format: 'lockstep' });
    const headerBytes = new DataView(bytes.buffer).getUint32(0, true);
    t.is(headerBytes % 8, 0);
    t.is(bytes.length, 8 + headerBytes + 4);
    t.deepEqual(decodeSafetensors(bytes), new Map([[name, { shape: [], data: Float32Array.of(7) }]]));
  }
});

test('any tensors come back with the same names, shapes and bits', (t) => {
  const tensor = fc.array(fc.nat(4), { maxLength: 3 }).chain((shape) => {
    const size = shape.reduce((a, b) => a * b, 1);
    return fc.float32Array({ minLength: size, maxLength: size, noNaN: true }).map((data) => ({ shape, data }));
  });
  const name = fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom('__proto__', '1', 'constructor')).filter((text) => text !== '__metadata__');
  fc.assert(
    fc.property(fc.uniqueArray(fc.tuple(name, tensor), { selector: ([key]) => key }), (entries) => {
      const decoded = decodeSafetensors(encodeSafetensors(entries.map(([key, value]) => ({ name: key, ...value }))));
      t.deepEqual(new Map([...decoded].sort()), new Map([...new Map(entries)].sort()));
    }),
  );
});

test('tensors that make no file are refused', (t) => {
  const [kernel] = two;
  t.is(
    weightsRefusal(() => encodeSafetensors([kernel!, kernel!])),
    'Expected tensors to have different names other than __metadata__, got `dense/kernel`; rename one.',
  );
  t.is(
    weightsRefusal(() => encodeSafetensors([{ ...kernel!, shape: [7] }])),
    'Expected tensor `dense/kernel` to hold 7 numbers of shape [7], got 6.',
  );
});

const entry = (shape: unknown, from: number, to: number, dtype = 'F32') => ({ dtype, shape, data_offsets: [from, to] });
const mistakes: [title: string, bytes: Uint8Array, message: string][] = [
  ['shorter than its prefix', new Uint8Array(7), 'Expected F to start with 8 bytes of header length, got 7 bytes in all; the file is truncated.'],
  [
    'with a huge header length',
    new Uint8Array(16).fill(255),
    'Expected the header of F to fit its 16 bytes, got a header length of 18446744073709551615; it is truncated or not a safetensors file.',
  ],
  ['with a header that is no JSON', fileOf('{"a":', 0), 'Expected the header of F to be JSON, got something else; it is damaged or not a safetensors file.'],
  ['with a header that is no object', fileOf([], 0), 'Expected the header of F to be an object, got other JSON; it is not a safetensors file.'],
  ['with metadata of numbers', fileOf({ __metadata__: { a: 1 } }, 0), 'Expected __metadata__ of F to map texts to texts, got something else; the file is damaged.'],
  [
    'with a malformed entry',
    fileOf({ a: entry([-1], 0, 4) }, 4),
    'Expected tensor `a` of F to have dtype, shape and data_offsets, got a malformed entry; the file is damaged.',
  ],
  ['of another dtype', fileOf({ a: entry([1], 0, 8, 'F64') }, 8), 'Expected tensor `a` of F to have dtype F32, got `F64`; convert it.'],
  [
    'with a gap',
    fileOf({ a: entry([1], 4, 8) }, 8),
    'Expected the data of tensor `a` of F to start at byte 0, where the one before ends, got [4, 8]; the file is damaged.',
  ],
  [
    'with an overlap',
    fileOf({ a: entry([2], 0, 8), b: entry([1], 4, 8) }, 8),
    'Expected the data of tensor `b` of F to start at byte 8, where the one before ends, got [4, 8]; the file is damaged.',
  ],
  ['with a shape that does not fit', fileOf({ a: entry([3], 0, 8) }, 8), 'Expected tensor `a` of F to hold 12 bytes for its shape [3], got 8; the file is damaged.'],
];

for (const [title, bytes, message] of mistakes) {
  test(`a file ${title} is refused in one sentence`, (t) => {
    t.is(
      weightsRefusal(() => decodeSafetensors(bytes, 'F')),
      message,
    );
  });
}

test('a file that is cut or has bytes to spare is refused with both lengths', (t) => {
  const bytes = encodeSafetensors(two);
  const spare = new Uint8Array(bytes.length + 1);
  spare.set(bytes);
  t.is(
    weightsRefusal(() => decodeSafetensors(bytes.subarray(0, -1), 'F')),
    `Expected F to have ${bytes.length} bytes or more for tensor \`dense/bias\`, got ${bytes.length - 1}; the file is truncated.`,
  );
  t.is(
    weightsRefusal(() => decodeSafetensors(spare, 'F')),
    `Expected F to end with its last tensor at byte ${bytes.length}, got ${bytes.length + 1} bytes; the file is damaged.`,
  );
});

test('a file with any byte changed or cut anywhere is read or refused', (t) => {
  const whole = encodeSafetensors(two, { format: 'lockstep' });
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.nat(255), fc.nat(whole.length), fc.boolean(), (at, byte, length, cut) => {
      const broken = whole.slice();
      broken[at] = byte;
      const result = outcomeOf(() => decodeSafetensors(cut ? broken.subarray(0, length) : broken));
      return result instanceof Map || (result instanceof LockstepError && result.code === 'LOCKSTEP_WEIGHTS' && !result.message.includes('\n'));
    }),
    { numRuns: 3000 },
  );
  t.pass();
});

test('a written file replaces the old one whole and leaves nothing beside it', async (t) => {
  const path = join(folder, 'weights.safetensors');
  await writeSafetensors(path, [two[1]!]);
  const changing = Float32Array.of(1, 2, 3);
  const written = writeSafetensors(path, [{ name: 'a', shape: [3], data: changing }]);
  changing.fill(0);
  await written;
  t.deepEqual(readSafetensors(path), new Map([['a', { shape: [3], data: Float32Array.of(1, 2, 3) }]]));
  t.deepEqual(readdirSync(folder), ['weights.safetensors']);
});

test('files that cannot be read or written are named', async (t) => {
  t.is(t.throws(() => readSafetensors('/nowhere/w'), { code: 'LOCKSTEP_FILE' }).message, 'Expected a weights file at `/nowhere/w`, but there is none; check the path.');
  const error = await t.throwsAsync(writeSafetensors('/nowhere/w', two), { code: 'LOCKSTEP_FILE' });
  t.is(error.message, 'Expected to write the weights file `/nowhere/w`, but the system refused (ENOENT); check that its folder exists and can be written.');
});
