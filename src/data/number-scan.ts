/**
 * Room: data (level 3). Decimal numbers in bytes, read without making a string of them. It promises that a value, rounded to float32,
 * is `Math.fround(Number(text))` bit for bit; what it cannot promise that of it leaves to `Number` itself.
 *
 * An integer of at most 15 digits and a power of ten up to 10^22 are exact in float64, so one division or product of them is the
 * decimal number correctly rounded (Clinger 1990). Of a longer number the first 15 digits give two such neighbours, one below and
 * one above: rounding never swaps two numbers, so where both are the same float32 the number between them is, too.
 */

/** 10^0 to 10^22, exact. */
const powersOfTen = Float64Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`));
const mostDigits = 15;
/** The largest power of ten that is exact in float64. */
const mostExponent = 22;

/** Where the last scan stopped: the first byte that is no part of the number. */
export let scanEnd = 0;

/** The number that starts at `at`, or NaN where it is none or a hard one. Never looks at `end` and beyond. */
export function scanNumber(bytes: Uint8Array, at: number, end: number): number {
  let i = at;
  let byte = i < end ? bytes[i]! : 0;
  const negative = byte === 0x2d;
  if (negative || byte === 0x2b) byte = ++i < end ? bytes[i]! : 0;
  let mantissa = 0;
  let digits = 0;
  /** Digits after the 15th; the number lies between mantissa and mantissa + 1 of the 15th. */
  let dropped = 0;
  let exponent = 0;
  let seen = 0;
  let fraction = false;
  for (; i < end; byte = ++i < end ? bytes[i]! : 0) {
    if (byte >= 0x30 && byte <= 0x39) {
      seen++;
      if (digits < mostDigits) {
        mantissa = 10 * mantissa + (byte - 0x30);
        if (mantissa > 0) digits++;
        if (fraction) exponent--;
      } else {
        dropped++;
        if (!fraction) exponent++;
      }
    } else if (byte === 0x2e && !fraction) fraction = true;
    else break;
  }
  scanEnd = i;
  if (seen === 0) return Number.NaN;
  if (byte === 0x65 || byte === 0x45) {
    byte = ++i < end ? bytes[i]! : 0;
    const below = byte === 0x2d;
    if (below || byte === 0x2b) byte = ++i < end ? bytes[i]! : 0;
    let power = 0;
    const first = i;
    for (; byte >= 0x30 && byte <= 0x39; byte = ++i < end ? bytes[i]! : 0) power = Math.min(10 * power + (byte - 0x30), 1e6);
    scanEnd = i;
    if (i === first) return Number.NaN;
    exponent += below ? -power : power;
  }
  if (exponent < -mostExponent || exponent > mostExponent) return Number.NaN;
  const value = scaledBy(mantissa, exponent);
  if (dropped === 0) return negative ? -value : value;
  const rounded = Math.fround(value);
  if (rounded !== Math.fround(scaledBy(mantissa + 1, exponent))) return Number.NaN;
  return negative ? -rounded : rounded;
}

function scaledBy(mantissa: number, exponent: number): number {
  return exponent < 0 ? mantissa / powersOfTen[-exponent]! : mantissa * powersOfTen[exponent]!;
}
