/**
 * Room: scripts (level 8). Numbers from noisy machines: medians, and ratios taken pair by pair.
 */

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >>> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** A row of a table: what was measured, the figure, and what it is to reach. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly goal?: { readonly atLeast: number } | { readonly atMost: number };
}

export function formatFigure({ name, value, unit, goal }: Figure): string {
  const verdict =
    goal === undefined
      ? ''
      : 'atLeast' in goal
        ? `  goal >= ${goal.atLeast}${value >= goal.atLeast ? '' : '  MISSED'}`
        : `  goal <= ${goal.atMost}${value <= goal.atMost ? '' : '  MISSED'}`;
  return `  ${name.padEnd(58)}${value.toFixed(value < 10 ? 2 : 1).padStart(10)} ${unit}${verdict}`;
}
