/**
 * Room: scripts (level 8). A curve in a terminal: braille characters, each 2 by 4 dots, between an axis of numbers and one of steps.
 */
import { axisFor, tickText } from './axis.ts';
import type { Point } from './curves.ts';

/** The bit of each dot of a braille character, by column and row. */
const bits = [
  [0x01, 0x02, 0x04, 0x40],
  [0x08, 0x10, 0x20, 0x80],
] as const;

/** Lines of text, `columns` wide and `rows` high without the axis of steps. All curves share the axes. */
export function terminalPlot(curves: readonly (readonly Point[])[], columns: number, rows: number): string {
  const points = curves.flat();
  const [xs, ys] = [points.map(({ x }) => x), points.map(({ y }) => y)];
  const range = (values: number[]): [number, number] => values.reduce(([a, b], value) => [Math.min(a, value), Math.max(b, value)], [values[0]!, values[0]!]);
  const [low, high] = range(ys);
  const [first, last] = range(xs);
  const [x, y] = [axisFor(first, last, { log: false }), axisFor(low, high)];
  const labels = [high, low].map((value) => tickText(Number(value.toPrecision(4))));
  const gutter = Math.max(...labels.map(({ length }) => length));
  const width = columns - gutter - 2;
  const cells = new Uint8Array(width * rows);
  const dot = (column: number, row: number): void => {
    cells[(row >> 2) * width + (column >> 1)]! |= bits[column & 1]![row & 3]!;
  };
  for (const curve of curves) {
    const places = curve.map((point) => [Math.round(x.place(point.x) * (2 * width - 1)), Math.round((1 - y.place(point.y)) * (4 * rows - 1))] as const);
    for (const [i, [column, row]] of places.entries()) {
      const [fromColumn, fromRow] = places[Math.max(0, i - 1)]!;
      const steps = Math.max(1, Math.abs(column - fromColumn), Math.abs(row - fromRow));
      for (let step = 0; step <= steps; step++)
        dot(Math.round(fromColumn + ((column - fromColumn) * step) / steps), Math.round(fromRow + ((row - fromRow) * step) / steps));
    }
  }
  const lines = Array.from({ length: rows }, (_, row) => {
    const label = row === 0 ? labels[0]! : row === rows - 1 ? labels[1]! : '';
    const text = String.fromCharCode(...Array.from(cells.subarray(row * width, (row + 1) * width), (cell) => 0x2800 + cell));
    return `${label.padStart(gutter)} │${text}`;
  });
  const [from, to] = [tickText(first), tickText(last)];
  return [...lines, `${' '.repeat(gutter)} └${'─'.repeat(width)}`, `${' '.repeat(gutter + 2)}${from}${to.padStart(width - from.length)}`].join('\n');
}
