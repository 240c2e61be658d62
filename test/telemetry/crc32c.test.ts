/** Room: tests of telemetry. CRC-32C against the vectors of RFC 3720, appendix B.4, and its definition bit by bit. */
import test from 'ava';
import fc from 'fast-check';
import { crc32c, maskedCrc32c } from '../../src/telemetry/crc32c.ts';

test('known vectors', (t) => {
  t.is(crc32c(Buffer.from('123456789')), 0xe3069283);
  t.is(crc32c(new Uint8Array(0)), 0);
  t.is(crc32c(new Uint8Array(32)), 0x8a9136aa);
  t.is(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43);
  t.is(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e);
});

test('any bytes: the remainder of the polynomial, bit by bit', (t) => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      let crc = 0xffffffff;
      for (const byte of bytes) {
        crc ^= byte;
        for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
      }
      t.is(crc32c(bytes), (crc ^ 0xffffffff) >>> 0);
    }),
  );
});

test('the mask rotates by 15 bits and adds a constant', (t) => {
  // 0xe3069283 rotated right by 15 bits is 0x2507c60d.
  t.is(maskedCrc32c(Buffer.from('123456789')), 0x2507c60d + 0xa282ead8);
  // The length of every event file's first record, as TensorFlow writes it.
  t.is(maskedCrc32c(Buffer.from([24, 0, 0, 0, 0, 0, 0, 0])), 0x224b7fa3);
});
