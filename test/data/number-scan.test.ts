/** Room: tests of data. Numbers read from bytes are those that `Number` reads, once they are float32. */
import test from 'ava';
import fc from 'fast-check';
import { scanEnd, scanNumber } from '../../src/data/number-scan.ts';

/** What is promised of a text: NaN (left to `Number`), or the same float32 with all of the text read. */
function holds(text: string): boolean {
  const bytes = Buffer.from(`${text},`);
  const value = scanNumber(bytes, 0, bytes.length);
  return Number.isNaN(value) || scanEnd !== text.length || Object.is(Math.fround(value), Math.fround(Number(text)));
}

const read = (text: string): number => scanNumber(Buffer.from(text), 0, Buffer.byteLength(text));

test('ordinary numbers are read without Number', (t) => {
  for (const text of [
    '0',
    '-0',
    '7',
    '+7',
    '123456789012345',
    '0.1',
    '-12.50',
    '.5',
    '5.',
    '1e3',
    '1E-7',
    '-2.5e+10',
    '0.00001234',
    '3.141592653589793238462643',
    '0.30000000000000004',
  ]) {
    t.true(Object.is(Math.fround(read(text)), Math.fround(Number(text))), text);
    t.is(scanEnd, text.length, text);
  }
});

test('up to 15 digits are exact in float64', (t) => {
  t.is(read('2147483647'), 2147483647);
  t.is(read('0.123456789012345'), 0.123456789012345);
});

test('what is no number, or a hard one, is left to Number', (t) => {
  for (const text of ['', '-', '.', '+.', 'e5', '1e', '1e+', 'abc', 'NaN', '1e23', '1e-300', '1e999999999999']) t.true(Number.isNaN(read(text)), text);
});

test('halfway between two float32 is decided by all digits', (t) => {
  // 2^24 + 1 lies between 2^24 and 2^24 + 2.
  for (const text of ['16777217', '16777217.000000000000000', '16777217.000000000000001', '16777216.999999999999999', '1.00000005960464477539062500001'])
    t.true(holds(text), text);
});

test('a scan stops at what is no part of the number, and at the end', (t) => {
  const bytes = Buffer.from('12.5;99');
  t.is(scanNumber(bytes, 0, bytes.length), 12.5);
  t.is(scanEnd, 4);
  t.is(scanNumber(bytes, 0, 2), 12);
  t.is(scanEnd, 2);
});

test('every decimal text is the number that Number reads', (t) => {
  const digits = fc.string({ unit: fc.constantFrom(...'0123456789'), maxLength: 25 });
  const exponent = fc.option(fc.integer({ min: -50, max: 50 }), { nil: undefined });
  fc.assert(
    fc.property(fc.constantFrom('', '-', '+'), digits, fc.option(digits, { nil: undefined }), exponent, (sign, whole, fraction, power) =>
      holds(`${sign}${whole}${fraction === undefined ? '' : `.${fraction}`}${power === undefined ? '' : `e${power}`}`),
    ),
    { numRuns: 5000 },
  );
  fc.assert(
    fc.property(fc.double({ noNaN: true }), (value) => holds(String(value))),
    { numRuns: 5000 },
  );
  fc.assert(
    fc.property(fc.float({ noNaN: true }), (value) => holds(value.toFixed(12)) && holds(value.toPrecision(17))),
    { numRuns: 5000 },
  );
  t.pass();
});
