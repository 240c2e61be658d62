/**
 * Room: tests of checkpoint. run.json comes back as it was written, and with any bit changed it is refused.
 */
import { createHash } from 'node:crypto';
import test from 'ava';
import fc from 'fast-check';
import { type CheckpointRecord, parseRecord, serializeRecord } from '../../src/checkpoint/record.ts';
import { recordOf } from './snapshots.ts';

const digest = { bytes: 160, sha256: 'c'.repeat(64) };
const whole = (changes: Partial<CheckpointRecord> = {}): CheckpointRecord => ({
  ...recordOf(1200, changes),
  format: 1,
  files: { 'weights.safetensors': digest, 'optimizer.safetensors': digest },
});

test('a record comes back as it was written', (t) => {
  for (const record of [
    whole(),
    whole({ metric: { name: 'val_loss', value: 0.25 }, data: { train: 'd'.repeat(64), validation: 'e'.repeat(64) } }),
    whole({ gradNorms: [0.1, 0, 5e-324] }),
    whole({ gradNorms: [] }),
  ]) {
    t.deepEqual(parseRecord(serializeRecord(record)), { record });
  }
});

test('numbers that JSON cannot say come back too, wherever they stand', (t) => {
  const odd = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 5e-324, 0.1 + 0.2];
  for (const value of odd) {
    const record = whole({
      epochSums: { loss: value, correct: 0, rows: 0 },
      metric: { name: 'loss', value },
      learningRate: value,
      run: { deep: [value] },
      epochs: [{ loss: value }],
    });
    t.deepEqual(parseRecord(serializeRecord(record)), { record });
  }
  t.notRegex(String(serializeRecord(whole({ epochSums: { loss: Number.NaN, correct: 0, rows: 0 } }))), /null|: NaN/);
});

test('any plain document comes back', (t) => {
  fc.assert(
    fc.property(fc.json(), fc.array(fc.double()), (json, epochs) => {
      const record = whole({ run: JSON.parse(json), epochs });
      t.deepEqual(parseRecord(serializeRecord(record)), { record });
    }),
  );
});

test('the order in which a record was put together changes no byte', (t) => {
  const record = whole({ metric: { name: 'loss', value: 1 } });
  t.deepEqual(serializeRecord(Object.fromEntries(Object.entries(record).reverse()) as unknown as CheckpointRecord), serializeRecord(record));
});

test('the hash is that of all lines but the last two, so that anybody can check it', (t) => {
  const lines = serializeRecord(whole()).toString().split('\n');
  t.deepEqual(lines.slice(0, 3), ['{', '  "format": 1,', '  "runId": "0f8fad5b",']);
  t.is(lines.at(-1), '');
  t.is(lines.at(-2), '}');
  const hash = createHash('sha256')
    .update(`${lines.slice(0, -3).join('\n')}\n`)
    .digest('hex');
  t.is(lines.at(-3), `  "sha256": "${hash}"`);
});

test('a flip of any single bit is found', (t) => {
  const bytes = serializeRecord(whole({ metric: { name: 'val_loss', value: -0 } }));
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    t.true('reason' in parseRecord(bytes), `bit ${bit}`);
    bytes[bit >> 3]! ^= 1 << (bit & 7);
  }
  t.true('record' in parseRecord(bytes));
});

test('a file that is cut, or has bytes to spare, is refused', (t) => {
  const bytes = serializeRecord(whole());
  for (let length = 0; length < bytes.length; length++) t.true('reason' in parseRecord(bytes.subarray(0, length)), `${length} bytes`);
  for (const more of ['\n', ' ', '{}']) t.true('reason' in parseRecord(Buffer.concat([bytes, Buffer.from(more)])));
  t.true('reason' in parseRecord(Buffer.concat([Buffer.from('\uFEFF'), bytes])));
});

/** The file of another content, with the hash that fits it. */
function signed(text: string): Buffer {
  const body = `${text.slice(0, -'\n}'.length)},\n`;
  return Buffer.from(`${body}  "sha256": "${createHash('sha256').update(body).digest('hex')}"\n}\n`);
}

test('a file with the right hash of another content is refused with the reason', (t) => {
  const record = whole();
  const reasonFor = (value: unknown, space = 2): string | undefined => {
    const parsed = parseRecord(signed(JSON.stringify(value, null, space)));
    return 'reason' in parsed ? parsed.reason : undefined;
  };
  t.is(reasonFor({ ...record, format: 2 }), 'format: Invalid input: expected 1');
  t.regex(reasonFor({ ...record, step: -1 })!, /^step: /);
  t.regex(reasonFor({ ...record, more: 1 })!, /more/);
  t.is(reasonFor(record, 4), 'expected the bytes that its content gives, got others');
});

test('what is no record is not written', (t) => {
  for (const changes of [{ step: 1.5 }, { fingerprint: 'abc' }, { shards: 0 }, { run: { $number: 'NaN' } }, { run: 1n }]) {
    t.throws(() => serializeRecord(whole(changes)), {
      code: 'LOCKSTEP_INTERNAL',
      message: /^Expected a checkpoint's record to be plain data of its schema, got other: .+; report it\.$/,
    });
  }
});
