/**
 * Room: scripts (level 8). An axis: from numbers to places, with ticks at round numbers. It is logarithmic where all numbers are > 0 and
 * far apart.
 */

export interface Axis {
  readonly isLog: boolean;
  readonly ticks: readonly number[];
  /** From 0, the least number, to 1. */
  place(value: number): number;
}

/** The largest number over the least from which on an axis is logarithmic. */
const farApart = 50;

/** An axis for numbers from `low` to `high`; `log` decides what their distance would. */
export function axisFor(low: number, high: number, { log, wanted = 5 }: { readonly log?: boolean; readonly wanted?: number } = {}): Axis {
  const isLog = low > 0 && (log ?? high / low >= farApart);
  if (isLog && high > low) return logAxis(low, high, wanted);
  const margin = high > low ? 0 : Math.abs(high) / 2 || 0.5;
  const [from, to] = [low - margin, high + margin];
  const step = roundStep((to - from) / wanted);
  const ticks: number[] = [];
  for (let i = Math.ceil(from / step - 1e-9); i * step <= to + 1e-9 * step; i++) ticks.push(Number((i * step).toPrecision(12)));
  return { isLog: false, ticks, place: (value) => (value - from) / (to - from) };
}

function logAxis(low: number, high: number, wanted: number): Axis {
  const [from, to] = [Math.log10(low), Math.log10(high)];
  const every = Math.max(1, Math.ceil((to - from) / (wanted + 1)));
  const mantissas = to - from < 2.5 ? [1, 2, 5] : [1];
  const ticks: number[] = [];
  for (let exponent = Math.floor(from); exponent <= to; exponent++) {
    if (exponent % every !== 0) continue;
    for (const mantissa of mantissas) {
      const tick = Number(`${mantissa}e${exponent}`);
      if (tick >= low && tick <= high) ticks.push(tick);
    }
  }
  return { isLog: true, ticks, place: (value) => (Math.log10(value) - from) / (to - from) };
}

/** 1, 2 or 5 times a power of ten, at least `step`. */
function roundStep(step: number): number {
  const power = Number(`1e${Math.floor(Math.log10(step))}`);
  return power * ([1, 2, 5].find((factor) => factor * power >= step * (1 - 1e-9)) ?? 10);
}

/** A number as a tick has it: short. */
export function tickText(value: number): string {
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-3) return value.toExponential().replace('e+', 'e');
  return size >= 10_000 ? value.toLocaleString('en-US') : String(value);
}
