/**
 * Room: tests of numerics. Philox4x32-10 against Random123's known answers, and the seed's two key words.
 */
import test from 'ava';
import { philox, purpose, seedKey } from '../../src/numerics/philox.ts';

type Words = readonly [number, number, number, number];

/** Random123's kat_vectors, philox4x32 with 10 rounds: counter, key, answer. */
const knownAnswers: readonly { counter: Words; key: readonly [number, number]; answer: Words }[] = [
  {
    counter: [0, 0, 0, 0],
    key: [0, 0],
    answer: [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
  },
  {
    counter: [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    key: [0xffffffff, 0xffffffff],
    answer: [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
  },
  {
    counter: [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    key: [0xa4093822, 0x299f31d0],
    answer: [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  },
];

for (const { counter, key, answer } of knownAnswers) {
  test(`philox of counter ${counter[0].toString(16)}... is Random123's known answer`, (t) => {
    t.deepEqual([...philox(new Uint32Array(4), ...counter, ...key)], [...answer]);
  });
}

test('philox returns the block it was given to write', (t) => {
  const block = new Uint32Array(4);
  t.is(philox(block, 1, 2, 3, 4, 5, 6), block);
});

test('every counter word and every key word changes every output word', (t) => {
  const arguments_ = [1, 2, 3, 4, 5, 6] as const;
  const draw = (words: readonly number[]): number[] => {
    const [c0, c1, c2, c3, k0, k1] = words as [number, number, number, number, number, number];
    return [...philox(new Uint32Array(4), c0, c1, c2, c3, k0, k1)];
  };
  const base = draw(arguments_);
  for (let position = 0; position < 6; position++) {
    const changed = draw(arguments_.map((word, i) => (i === position ? word + 1 : word)));
    for (let word = 0; word < 4; word++) t.not(changed[word], base[word]);
  }
});

test('the words of consecutive blocks have the mean and the bits of fair draws', (t) => {
  const blocks = 20_000;
  const block = new Uint32Array(4);
  const ones = new Float64Array(32);
  let sum = 0;
  for (let i = 0; i < blocks; i++) {
    for (const word of philox(block, i, 0, 0, 0, 7, 0)) {
      sum += word / 2 ** 32;
      for (let bit = 0; bit < 32; bit++) ones[bit]! += (word >>> bit) & 1;
    }
  }
  const words = 4 * blocks;
  // The mean of n uniform draws has a standard deviation of sqrt(1 / 12 n); five of them are far beyond chance.
  t.true(Math.abs(sum / words - 0.5) < 5 * Math.sqrt(1 / (12 * words)));
  for (const count of ones) t.true(Math.abs(count / words - 0.5) < 5 * Math.sqrt(0.25 / words));
});

test('seedKey splits a seed into its low and high 32 bits', (t) => {
  t.deepEqual([...seedKey(0)], [0, 0]);
  t.deepEqual([...seedKey(2 ** 32 - 1)], [0xffffffff, 0]);
  t.deepEqual([...seedKey(2 ** 32 + 5)], [5, 1]);
  t.deepEqual([...seedKey(Number.MAX_SAFE_INTEGER)], [0xffffffff, 0x1fffff]);
});

test('purposes are distinct and none is zero', (t) => {
  const codes = Object.values(purpose);
  t.is(new Set(codes).size, codes.length);
  t.false(codes.some((code: number) => code === 0));
});
