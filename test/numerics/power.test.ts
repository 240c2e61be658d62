// biome-ignore-all lint/suspicious/noApproximativeNumericConstant: the table holds the numbers that mpmath was given, whatever they resemble
/**
 * Room: tests of numerics. Powers with any exponent against values of mpmath (60 digits, rounded to float64), the edges of their range, and against
 * powers that are exact.
 */
import test from 'ava';
import { integerPower } from '../../src/numerics/elementary.ts';
import { power } from '../../src/numerics/power.ts';

/** Base, exponent, expected. */
const table: readonly (readonly [base: number, exponent: number, expected: number])[] = [
  [0.96, 0.004, 0.9998367253526753],
  [0.96, 1000, 1.8673814466701247e-18],
  [0.5, 0.5, 0.7071067811865476],
  [2, 0.5, 1.4142135623730951],
  [0.1, 3.7, 0.00019952623149688793],
  [1e-300, 0.9, 9.999999999999847e-271],
  [5e-324, 0.3, 1.018908996936868e-97],
  [0.9999999, 10000000.0, 0.367879422971105],
  [1.0000001, 1000000000.0, 2.6881038582144647e43],
  [1.0000001, 6900000000.0, 4.604449403599284e299],
  [3, -2.25, 0.0844261872946214],
  [10, -300, 1e-300],
  [10, 308, 1e308],
  [0.999, 123456.5, 2.273511582011322e-54],
  [1.5, 1700.25, 2.5070512348557902e299],
  [0.7071, -2.5, 2.378471253717035],
  [123456.789, 60.1, 1.0001154303550573e306],
  [0.25, 511, 2.2250738585072014e-308],
  [1.4142135623730951, 2, 2.0000000000000004],
  [0.9, 0.3333333333333333, 0.9654893846056297],
  [7.5e300, -1.01, 1.3067368066422373e-304],
  [0.1, 1e-17, 1.0],
];

const word = new DataView(new ArrayBuffer(8));

/** The place of a positive float64 in the order of all of them: neighbours differ by 1. */
function place(x: number): bigint {
  word.setFloat64(0, x);
  return word.getBigInt64(0);
}

test("power is within 2 ulp of mpmath's values", (t) => {
  for (const [base, exponent, expected] of table) {
    const actual = power(base, exponent);
    const ulps = Math.abs(Number(place(actual) - place(expected)));
    t.true(ulps <= 2, `power(${base}, ${exponent}) is ${actual}, expected ${expected}: ${ulps} ulp`);
  }
});

test('power has exact powers within 1 ulp', (t) => {
  for (let base = 2; base <= 12; base++) {
    for (let exponent = 1; exponent <= 14; exponent++) {
      const exact = integerPower(base, exponent);
      t.true(Math.abs(Number(place(power(base, exponent)) - place(exact))) <= 1, `power(${base}, ${exponent})`);
      t.true(Math.abs(Number(place(power(exact, 1)) - place(exact))) <= 1, `power(${exact}, 1)`);
    }
  }
});

test('power at its edges', (t) => {
  for (const [base, exponent, expected] of [
    [0, 0, 1],
    [Infinity, 0, 1],
    [1, 1e300, 1],
    [0, 0.5, 0],
    [0, -1, Infinity],
    [Infinity, 2, Infinity],
    [Infinity, -2, 0],
    [10, 309, Infinity],
    [10, -400, 0],
    [0.5, 1e18, 0],
    [0.5, -1e18, Infinity],
    [-1, 2, NaN],
    [NaN, 1, NaN],
    [2, NaN, NaN],
    [2, Infinity, NaN],
  ] as const) {
    t.is(power(base, exponent), expected, `power(${base}, ${exponent})`);
  }
});
