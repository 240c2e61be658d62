/**
 * Room: tests of telemetry. Event files byte by byte: some records against bytes that were put together by hand, all others through a
 * decoder of their own.
 */
import test from 'ava';
import fc from 'fast-check';
import { histogramRecord, scalarsRecord, versionRecord } from '../../src/telemetry/event-file.ts';
import { decodeEvents } from './event-decoder.ts';

const hex = (...parts: readonly string[]): string => parts.join('').replaceAll(' ', '');

/** The float64 1700000001, little-endian. */
const wallTime = '00 00 40 40 fc 54 d9 41';

test('the first record', (t) => {
  t.is(
    versionRecord(1700000000.5).toString('hex'),
    // 24 bytes, and the checksum of that length; 1: float64; 3: 13 characters, brain.Event:2; checksum.
    hex('18 00 00 00 00 00 00 00', 'a3 7f 4b 22', '09 00 00 20 40 fc 54 d9 41', '1a 0d 62 72 61 69 6e 2e 45 76 65 6e 74 3a 32', '2b 35 31 10'),
  );
});

test('two scalars, of which one is zero', (t) => {
  t.is(
    scalarsRecord({ step: 300, wallTime: 1700000001 }, { loss: 0.5, acc: 0 }).toString('hex'),
    hex(
      '27 00 00 00 00 00 00 00 bb e1 b1 46',
      `09 ${wallTime}`,
      // 300 is 0b10_0101100.
      '10 ac 02',
      '2a 19',
      '0a 0b 0a 04 6c 6f 73 73 15 00 00 00 3f',
      '0a 0a 0a 03 61 63 63 15 00 00 00 00',
      'e2 66 5d c8',
    ),
  );
});

test('a histogram', (t) => {
  t.is(
    histogramRecord({ step: 1, wallTime: 1700000001 }, 'g', { min: -1, max: 2, num: 3, sum: 1.5, sumSquares: 4.25, limits: [0, 2], counts: [1, 2] }).toString('hex'),
    hex(
      '65 00 00 00 00 00 00 00 eb d0 5a 69',
      `09 ${wallTime}`,
      '10 01',
      // Summary of 88 bytes, value of 86, tag, histogram of 81.
      '2a 58 0a 56 0a 01 67 2a 51',
      '09 00 00 00 00 00 00 f0 bf',
      '11 00 00 00 00 00 00 00 40',
      '19 00 00 00 00 00 00 08 40',
      '21 00 00 00 00 00 00 f8 3f',
      '29 00 00 00 00 00 00 11 40',
      '32 10 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 40',
      '3a 10 00 00 00 00 00 00 f0 3f 00 00 00 00 00 00 00 40',
      '59 b6 c2 62',
    ),
  );
});

const moment = fc.record({ step: fc.nat(Number.MAX_SAFE_INTEGER), wallTime: fc.double({ noNaN: true }) });

test('any scalars come back as they were, as float32', (t) => {
  fc.assert(
    fc.property(moment, fc.array(fc.tuple(fc.string({ unit: 'binary' }), fc.double())), ({ step, wallTime }, entries) => {
      const scalars = Object.fromEntries(entries.filter(([tag]) => Buffer.from(tag).toString() === tag && tag !== '__proto__'));
      t.deepEqual(decodeEvents(scalarsRecord({ step, wallTime }, scalars)), [
        { wallTime, step: BigInt(step), values: Object.entries(scalars).map(([tag, value]) => ({ tag, scalar: Math.fround(value) })) },
      ]);
    }),
  );
});

const number = fc.double({ noNaN: true });

test('any histogram comes back as it was', (t) => {
  const shape = { min: number, max: number, num: number, sum: number, sumSquares: number, buckets: fc.array(fc.tuple(number, number), { maxLength: 300 }) };
  fc.assert(
    fc.property(moment, fc.record(shape), ({ step, wallTime }, { buckets, ...sums }) => {
      const histogram = { ...sums, limits: buckets.map(([limit]) => limit), counts: buckets.map(([, count]) => count) };
      t.deepEqual(decodeEvents(histogramRecord({ step, wallTime }, 'gradients/dense', histogram)), [
        { wallTime, step: BigInt(step), values: [{ tag: 'gradients/dense', histogram }] },
      ]);
    }),
  );
});
