/** Room: tests of cluster data. Chunks on their way: from arena to arena bit for bit, and everything else refused. */
import { readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { openCache } from '../../../cluster/data/cache.ts';
import { type DataPiece, DataReceiver, dataPieces, pieceBytes } from '../../../cluster/data/fetch.ts';
import { type Manifest, makeManifest } from '../../../cluster/data/manifest.ts';
import { refusal, temporaryFolder } from '../../data/folder.ts';
import { bytesOf, emptySet, filledSet, threeChunks } from './stored.ts';

const file = temporaryFolder();
const sender = filledSet(threeChunks);
let manifest: Manifest;
test.before(async () => {
  manifest = await makeManifest(sender);
});
const set = 'train';

function* pieces(chunks: readonly number[]): Generator<DataPiece> {
  const pull = dataPieces({ set, data: sender, manifest }, chunks);
  for (let piece = pull(); piece; piece = pull()) yield piece;
}

function newReceiver() {
  const data = emptySet(threeChunks);
  return { data, receiver: new DataReceiver({ set, data, manifest }) };
}

test('all chunks, in any order, make the data set', (t) => {
  const { data, receiver } = newReceiver();
  t.deepEqual(receiver.missing, [0, 1, 2]);
  for (const piece of pieces([2, 0])) receiver.accept(piece);
  t.deepEqual(receiver.missing, [1]);
  t.false(receiver.isComplete);
  for (const piece of pieces([1])) receiver.accept(piece);
  t.true(receiver.isComplete);
  t.is(Buffer.compare(bytesOf(data), bytesOf(sender)), 0);
});

test('pieces are views of at most 256 KiB, one after the other', (t) => {
  const sent = [...pieces([0, 2])];
  t.deepEqual(
    sent.slice(0, 16).map(({ chunk, offset }) => [chunk, offset]),
    Array.from({ length: 16 }, (_, i) => [0, i * pieceBytes]),
  );
  // 1 MiB of inputs and 36 KiB of labels: no piece holds both.
  t.deepEqual(
    sent.slice(16).map(({ offset, payload }) => [offset, payload.length]),
    [
      [0, 262_144],
      [262_144, 262_144],
      [524_288, 262_144],
      [786_432, 262_144],
      [1_048_576, 36_864],
    ],
  );
  for (const { payload } of sent) t.is(payload.buffer, sender.arena.u8.buffer);
  t.deepEqual([...pieces([])], []);
});

test('a receiver takes pieces that are cut otherwise', (t) => {
  const spec = { length: 7, inputShape: [5], inputType: 'float32', scale: 1, targetSize: 2 } as const;
  const original = filledSet(spec);
  const whole = bytesOf(original);
  return makeManifest(original).then((small) => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1 }), (sizes) => {
        const data = emptySet(spec);
        const receiver = new DataReceiver({ set: 'validation', data, manifest: small });
        for (let offset = 0, i = 0; offset < whole.length; i++) {
          const payload = whole.subarray(offset, offset + sizes[i % sizes.length]!);
          receiver.accept({ set: 'validation', chunk: 0, offset, payload });
          offset += payload.length;
        }
        t.true(receiver.isComplete);
        t.deepEqual(bytesOf(data), whole);
      }),
    );
  });
});

test('a chunk with a flipped bit is refused and stays missing', (t) => {
  const { receiver } = newReceiver();
  const sent = [...pieces([0, 1])];
  const bad = Uint8Array.from(sent[20]!.payload);
  bad[100]! ^= 16;
  for (const piece of sent.slice(0, 20)) receiver.accept(piece);
  receiver.accept({ ...sent[20]!, payload: bad });
  for (const piece of sent.slice(21, 31)) receiver.accept(piece);
  t.is(
    refusal('LOCKSTEP_PROTOCOL', () => receiver.accept(sent[31]!)),
    'Expected chunk 1 of the data set `train` to have the hash of the manifest, got other bytes; the connection is not to be trusted with data.',
  );
  t.deepEqual(receiver.missing, [1, 2]);
});

test('a piece out of place is refused and changes nothing', (t) => {
  const { data, receiver } = newReceiver();
  const [first, second] = [...pieces([0])] as [DataPiece, DataPiece];
  receiver.accept(first);
  const before = bytesOf(data);
  const strange: Partial<DataPiece>[] = [
    { offset: 0 },
    { offset: second.offset + 1 },
    { offset: -1 },
    { offset: Number.NaN },
    { chunk: 1 },
    { chunk: 1, offset: 0 },
    { chunk: 3 },
    { chunk: -1 },
    { chunk: 0.5 },
    { set: 'validation' },
    { payload: new Uint8Array(0) },
    { payload: new Uint8Array(pieceBytes + 1) },
  ];
  for (const part of strange)
    t.regex(
      refusal('LOCKSTEP_PROTOCOL', () => receiver.accept({ ...second, ...part })),
      /^Expected .+, got .+; the connection/,
    );
  t.is(Buffer.compare(bytesOf(data), before), 0);
  receiver.accept(second);
});

test('a chunk that came already, and bytes past its end, are refused', (t) => {
  const { receiver } = newReceiver();
  const sent = [...pieces([2])];
  for (const piece of sent.slice(0, -1)) receiver.accept(piece);
  const last = sent.at(-1)!;
  t.is(
    refusal('LOCKSTEP_PROTOCOL', () => receiver.accept({ ...last, payload: new Uint8Array(36_865) })),
    'Expected 1 to 36864 bytes of chunk 2, got 36865; the connection is not to be trusted with data.',
  );
  receiver.accept(last);
  t.is(
    refusal('LOCKSTEP_PROTOCOL', () => receiver.accept(sent[0]!)),
    'Expected a chunk of the data set `train` that was asked for, got chunk 2; the connection is not to be trusted with data.',
  );
});

test('a half-filled cache is resumed: only what is missing or damaged is asked for', async (t) => {
  const folder = join(dirname(file('.keep', '')), 'cache');
  const warnings: string[] = [];
  const open = async () => {
    const data = emptySet(threeChunks);
    const cache = await openCache({ folder, manifest, onWarning: (sentence) => warnings.push(sentence) });
    const receiver = new DataReceiver({ set, data, manifest, cache });
    await receiver.takeCached();
    return { data, receiver };
  };
  const first = await open();
  t.deepEqual(first.receiver.missing, [0, 1, 2]);
  for (const piece of pieces([0, 2])) first.receiver.accept(piece);
  await first.receiver.flushed();
  // The first host is killed in the middle of chunk 1; chunk 2 is damaged meanwhile.
  const own = join(folder, manifest.sha256);
  t.deepEqual(readdirSync(own).toSorted(), ['0.chunk', '2.chunk']);
  writeFileSync(join(own, '1.chunk.x.part'), 'half');
  writeFileSync(join(own, '2.chunk'), 'damaged');
  const second = await open();
  t.deepEqual(second.receiver.missing, [1, 2]);
  t.is(warnings.length, 1);
  for (const piece of pieces([1, 2])) second.receiver.accept(piece);
  await second.receiver.flushed();
  const third = await open();
  t.true(third.receiver.isComplete);
  t.is(Buffer.compare(bytesOf(third.data), bytesOf(sender)), 0);
  t.is(warnings.length, 1);
});

test('a wish that is no list of different chunks is refused', (t) => {
  for (const chunks of [[3], [-1], [0.5], [0, 1, 0]]) {
    t.regex(
      refusal('LOCKSTEP_PROTOCOL', () => dataPieces({ set, data: sender, manifest }, chunks)),
      /^Expected a wish for/,
    );
  }
});
