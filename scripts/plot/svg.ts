/**
 * Room: scripts (level 8). Panels of curves, one below the other or in two columns, as one SVG: light background, ticks, a legend. It
 * needs no library: an SVG is text.
 */
import { axisFor, tickText } from './axis.ts';
import type { Point } from './curves.ts';

interface Stroke {
  readonly colour: string;
  /** Lengths of dashes and of what is between them, for curves that share a colour; absent: a whole line. */
  readonly dashes?: string;
}

interface Curve extends Stroke {
  readonly points: readonly Point[];
  /** Few and of weight: drawn thick, with a dot a point. */
  readonly marked?: boolean;
}

export interface Panel {
  readonly title: string;
  readonly xTitle: string;
  readonly curves: readonly Curve[];
  /** Logarithmic x. */
  readonly logX?: boolean;
  /** A place on the x axis that is pointed at. */
  readonly mark?: { readonly x: number; readonly text: string };
}

interface LegendEntry extends Stroke {
  readonly text: string;
}

/** Told apart by most eyes (Okabe and Ito). */
export const colours = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000'];

const dashPatterns = ['7 4', '2 3', '9 3 2 3'];

/** Of the curve of that number, from 0. As many runs as there are colours differ in colour, more of them in dashes. */
export function strokeOf(i: number): Stroke {
  const colour = colours[i % colours.length]!;
  const lap = Math.floor(i / colours.length);
  return lap === 0 ? { colour } : { colour, dashes: dashPatterns[(lap - 1) % dashPatterns.length]! };
}

function dashed({ dashes }: Stroke): string {
  return dashes === undefined ? '' : ` stroke-dasharray="${dashes}"`;
}

const [panelWidth, panelHeight] = [560, 300];
const margin = { left: 72, right: 20, top: 34, bottom: 46 };
const ink = '#333';
const fonts = 'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif"';

export function svgOf(panels: readonly Panel[], legend: readonly LegendEntry[], note: string): string {
  const columns = panels.length > 1 ? 2 : 1;
  const width = columns * panelWidth;
  const perLine = entriesPerLine(legend, width);
  const entryWidth = perLine === 2 * columns ? panelWidth / 2 : (width - margin.left) / perLine;
  const legendHeight = 16 + 20 * Math.ceil(legend.length / perLine) + (note === '' ? 0 : 18);
  const height = legendHeight + Math.ceil(panels.length / columns) * panelHeight;
  const entries = legend.map((entry, i) => {
    const [x, y] = [round(margin.left + (i % perLine) * entryWidth), 20 + 20 * Math.floor(i / perLine)];
    return `<path d="M${x} ${y - 4}h18" stroke="${entry.colour}" stroke-width="4"${dashed(entry)}/><text x="${x + 26}" y="${y}" font-size="13">${escaped(entry.text)}</text>`;
  });
  const drawn = panels.map((panel, i) => drawPanel(panel, (i % columns) * panelWidth, legendHeight + Math.floor(i / columns) * panelHeight));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" ${fonts} fill="${ink}">`,
    `<title>${escaped(`${panels.map(({ title }) => title).join(', ')}${legend.length > 0 ? ` of ${legend.map(({ text }) => text).join(', ')}` : ''}`)}</title>`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    ...entries,
    ...(note === '' ? [] : [`<text x="${margin.left}" y="${legendHeight - 6}" font-size="12" fill="#777">${escaped(note)}</text>`]),
    ...drawn,
    '</svg>',
    '',
  ].join('\n');
}

/** Two beside each other above a panel, or fewer where their texts are wider. */
function entriesPerLine(legend: readonly LegendEntry[], width: number): number {
  const longest = Math.max(0, ...legend.map(({ text }) => text.length));
  // A character of 13 pixels is about 7 wide.
  return Math.max(1, Math.min((2 * width) / panelWidth, Math.floor((width - margin.left) / (26 + 7 * longest + 14))));
}

function drawPanel({ title, xTitle, curves, logX = false, mark }: Panel, left: number, top: number): string {
  const points = curves.flatMap((curve) => curve.points);
  const [xs, ys] = [extent(points.map(({ x }) => x)), extent(points.map(({ y }) => y))];
  const x = axisFor(xs[0], xs[1], { log: logX, wanted: 8 });
  const y = axisFor(ys[0], ys[1]);
  const [width, height] = [panelWidth - margin.left - margin.right, panelHeight - margin.top - margin.bottom];
  const [atX, atY] = [(value: number) => round(margin.left + width * x.place(value)), (value: number) => round(margin.top + height * (1 - y.place(value)))];
  const bottom = margin.top + height;
  return [
    `<g transform="translate(${left} ${top})">`,
    `<text x="${margin.left}" y="22" font-size="14" font-weight="600">${escaped(title)}${y.isLog ? '<tspan font-weight="400" fill="#777"> (logarithmic)</tspan>' : ''}</text>`,
    ...y.ticks.map(
      (tick) =>
        `<path d="M${margin.left} ${atY(tick)}h${width}" stroke="#e5e5e5"/><text x="${margin.left - 8}" y="${round(atY(tick) + 4)}" font-size="12" text-anchor="end">${tickText(tick)}</text>`,
    ),
    ...x.ticks.map(
      (tick) =>
        `<path d="M${atX(tick)} ${bottom}v5" stroke="#999"/><text x="${atX(tick)}" y="${bottom + 19}" font-size="12" text-anchor="middle">${tickText(tick)}</text>`,
    ),
    `<path d="M${margin.left} ${margin.top}V${bottom}H${margin.left + width}" fill="none" stroke="#999"/>`,
    `<text x="${margin.left + width / 2}" y="${bottom + 38}" font-size="12" fill="#777" text-anchor="middle">${escaped(xTitle)}</text>`,
    ...(mark
      ? [
          `<path d="M${atX(mark.x)} ${margin.top}V${bottom}" stroke="${colours[1]}" stroke-dasharray="4 4"/>`,
          `<text x="${round(atX(mark.x) + 6)}" y="${margin.top + 14}" font-size="12" fill="${colours[1]}">${escaped(mark.text)}</text>`,
        ]
      : []),
    ...curves.map((curve) => drawCurve(curve, atX, atY)),
    '</g>',
  ].join('\n');
}

function drawCurve({ points, marked = false, ...stroke }: Curve, atX: (x: number) => number, atY: (y: number) => number): string {
  const line = points.map(({ x, y }, i) => `${i === 0 ? 'M' : 'L'}${atX(x)} ${atY(y)}`).join('');
  const path = `<path d="${line}" fill="none" stroke="${stroke.colour}" stroke-linejoin="round" stroke-width="${marked ? 2.2 : 1}"${marked ? '' : ' stroke-opacity="0.55"'}${dashed(stroke)}/>`;
  if (!marked && points.length > 1) return path;
  // A white edge sets it off from the steps.
  const edge = `<path d="${line}" fill="none" stroke="#fff" stroke-width="4.5"/>`;
  const radius = points.length > 40 ? 0 : 3.2;
  const dots =
    radius > 0 ? points.map(({ x, y }) => `<circle cx="${atX(x)}" cy="${atY(y)}" r="${radius}" fill="#fff" stroke="${stroke.colour}" stroke-width="1.8"/>`) : [];
  return [edge, path, ...dots].join('');
}

function extent(values: readonly number[]): [low: number, high: number] {
  return values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY] as [number, number]);
}

function round(value: number): number {
  return Math.round(10 * value) / 10;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
