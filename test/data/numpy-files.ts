/**
 * Room: tests of data. Files that NumPy 2.4 wrote. float64: arange(12).reshape(3, 2, 2) / 3; fortran: the same with [:, :, 0] in Fortran order;
 * stored and deflated: savez and savez_compressed of x = uint8 arange(6).reshape(3, 2), y = int64 [2, 0, 1], w = float32 [1, 0.5, 2].
 */
const base64 = {
  float64: [
    'k05VTVBZAQB2AHsnZGVzY3InOiAnPGY4JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDMsIDIsIDIpLCB9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC',
    'AgICAgICAgICAgICAgIAoAAAAAAAAAAFVVVVVVVdU/VVVVVVVV5T8AAAAAAADwP1VVVVVVVfU/q6qqqqqq+j8AAAAAAAAAQKuqqqqqqgJAVVVVVVVVBUAAAAAAAAAIQKuqqqqqqgpAVVVVVVVVDUA=',
  ],
  stored: [
    'UEsDBC0AAAAAAAAAIQAb+n1h//////////8FABQAeC5ucHkBABAAhgAAAAAAAACGAAAAAAAAAJNOVU1QWQEAdgB7J2Rlc2NyJzogJ3x1MScsICdmb3J0cmFuX29yZGVyJzogRmFsc2UsICdzaGFwZS',
    'c6ICgzLCAyKSwgfSAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAKAAECAwQFUEsDBC0AAAAAAAAAIQCKGs4T//////////8FABQAeS5ucHkB',
    'ABAAmAAAAAAAAACYAAAAAAAAAJNOVU1QWQEAdgB7J2Rlc2NyJzogJzxpOCcsICdmb3J0cmFuX29yZGVyJzogRmFsc2UsICdzaGFwZSc6ICgzLCksIH0gICAgICAgICAgICAgICAgICAgICAgICAgIC',
    'AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAKAgAAAAAAAAAAAAAAAAAAAAEAAAAAAAAAUEsDBC0AAAAAAAAAIQBsnrta//////////8FABQAdy5ucHkBABAAjAAAAAAAAACMAAAAAAAA',
    'AJNOVU1QWQEAdgB7J2Rlc2NyJzogJzxmNCcsICdmb3J0cmFuX29yZGVyJzogRmFsc2UsICdzaGFwZSc6ICgzLCksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC',
    'AgICAgICAgICAgICAgICAKAACAPwAAAD8AAABAUEsBAi0DLQAAAAAAAAAhABv6fWGGAAAAhgAAAAUAAAAAAAAAAAAAAIABAAAAAHgubnB5UEsBAi0DLQAAAAAAAAAhAIoazhOYAAAAmAAAAAUAAAAA',
    'AAAAAAAAAIABvQAAAHkubnB5UEsBAi0DLQAAAAAAAAAhAGyeu1qMAAAAjAAAAAUAAAAAAAAAAAAAAIABjAEAAHcubnB5UEsFBgAAAAADAAMAmQAAAE8CAAAAAA==',
  ],
  deflated: [
    'UEsDBC0AAAAIAAAAIQAb+n1h//////////8FABQAeC5ucHkBABAAhgAAAAAAAABMAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6loF5Taqiuo6Cell9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5Gs',
    'Y6CkaaOgq1CmQDLgZGJmYWVgBQSwMELQAAAAgAAAAhAIoazhP//////////wUAFAB5Lm5weQEAEACYAAAAAAAAAEoAAAAAAAAAm+wX6hsQychQxlCtnpJanFykbqWgbpNpoa6joJ6WX1RSlJgXn1+U',
    'kgoSd0vMKU4FihdnJBakAvkaxjqaOgq1ChQALiYGVMAIpQFQSwMELQAAAAgAAAAhAGyeu1r//////////wUAFAB3Lm5weQEAEACMAAAAAAAAAE4AAAAAAAAAm+wX6hsQychQxlCtnpJanFykbqWgbp',
    'Nmoq6joJ6WX1RSlJgXn1+UkgoSd0vMKU4FihdnJBakAvkaxjqaOgq1ChQALgaGBnsGBgYQdgAAUEsBAi0DLQAAAAgAAAAhABv6fWFMAAAAhgAAAAUAAAAAAAAAAAAAAIABAAAAAHgubnB5UEsBAi0D',
    'LQAAAAgAAAAhAIoazhNKAAAAmAAAAAUAAAAAAAAAAAAAAIABgwAAAHkubnB5UEsBAi0DLQAAAAgAAAAhAGyeu1pOAAAAjAAAAAUAAAAAAAAAAAAAAIABBAEAAHcubnB5UEsFBgAAAAADAAMAmQAAAI',
    'kBAAAAAA==',
  ],
  fortran: [
    'k05VTVBZAQB2AHsnZGVzY3InOiAnPGY4JywgJ2ZvcnRyYW5fb3JkZXInOiBUcnVlLCAnc2hhcGUnOiAoMywgMiksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC',
    'AgICAgICAgICAgICAgIAoAAAAAAAAAAFVVVVVVVfU/VVVVVVVVBUBVVVVVVVXlPwAAAAAAAABAq6qqqqqqCkA=',
  ],
};

export function numpyFile(name: keyof typeof base64): Buffer {
  return Buffer.from(base64[name].join(''), 'base64');
}

/** An npy file of version 1. */
export function npyBytes(descr: string, shape: readonly number[], data: NodeJS.ArrayBufferView, { order = 'False', version = 1 } = {}): Buffer {
  const text = `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': (${shape.join(', ')}${shape.length === 1 ? ',' : ''}), }`;
  const header = Buffer.from(`${text.padEnd(117)}\n`, 'latin1');
  const size = Buffer.alloc(version === 1 ? 2 : 4);
  size.writeUIntLE(header.length, 0, size.length);
  return Buffer.concat([Buffer.from('\x93NUMPY', 'latin1'), Buffer.from([version, 0]), size, header, Buffer.from(data.buffer, data.byteOffset, data.byteLength)]);
}
