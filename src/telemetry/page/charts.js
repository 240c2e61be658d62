/**
 * Room: telemetry (level 2). The charts of the live page: one line or several over steps. The pointer on one of them shows the same step on all.
 * A chart draws when it is told to; page.js sees to it that this is at most once a frame.
 */
import { smoothed } from './series.js';
import uPlot from './uplot.js';

const styles = getComputedStyle(document.documentElement);
/** Of theme.css, as it is now: light or dark. */
const color = (name) => styles.getPropertyValue(`--${name}`).trim();
const font = '12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';

const integers = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat('en-US', { notation: 'compact', maximumFractionDigits: 1 });
export const whole = (value) => integers.format(value);
export const percent = (value) => `${(100 * value).toFixed(2)} %`;
/** Up to four digits of any number, as few as it has. */
export const short = (value) => String(Number(value.toPrecision(4)));
/** Four digits of any number. */
export function digits(value) {
  if (value === 0) return '0';
  const size = Math.abs(value);
  return size < 1e-3 || size >= 1e5 ? value.toExponential(2) : value.toPrecision(4);
}

/** So many points around it a smooth line looks at. */
const reach = 3;

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const finite = (value) => (Number.isFinite(value) ? value : null);
const positive = (value) => (value > 0 && Number.isFinite(value) ? value : null);

/** What each chart shows; `of` is the field of a point. */
const kinds = {
  loss: { of: 'loss', format: digits, validation: true },
  accuracy: { of: 'accuracy', format: percent, tick: (value) => `${Number((100 * value).toFixed(2))} %`, validation: true, top: 1 },
  gradient: { of: 'gradNorm', format: digits, threshold: true, log: true },
  throughput: { of: 'samplesPerSecond', format: whole, tick: (value) => compact.format(value), fromZero: true },
};

const rawLine = { name: 'step', own: 'raw', mark: 'thin', width: 1 };
const smoothLine = { own: 'train', mark: 'line', width: 2 };
const validationLine = { name: 'validation', own: 'validation', mark: 'dot', width: 1.5, spanGaps: true, points: { show: true, size: 6 } };
const thresholdLine = { name: 'clip at', own: 'threshold', mark: 'dash', width: 1.5, dash: [6, 4], points: { show: false } };

/** Between ticks of the axis of steps: there is no half a step. */
const wholeSteps = Array.from({ length: 10 }, (_, i) => [1, 2, 5].map((n) => n * 10 ** i)).flat();

function yRange({ log, fromZero, top }) {
  return (_, low, high) => {
    if (low === null || high === null) return log ? [0.1, 10] : [0, 1];
    if (log) return uPlot.rangeLog(low / 1.15, high * 1.15, 10, false);
    const pad = 0.06 * (high - low || Math.abs(high) || 1);
    return [fromZero || (low >= 0 && low - pad < 0) ? 0 : low - pad, Math.min(high + pad, Math.max(high, top ?? Number.POSITIVE_INFINITY))];
  };
}

/** On a log scale the labels of 1, 2 and 5 of each decade, or of the decades alone when there are many. */
function logLabels(chart, splits) {
  const { min, max } = chart.scales.y;
  const wanted = Math.log10(max / min) > 2.5 ? [1] : [1, 2, 5];
  return splits.map((value) => (wanted.includes(Math.round(value / 10 ** Math.floor(Math.log10(value) + 1e-9))) ? value : null));
}

export class Chart {
  #figure;
  #place;
  #kind;
  #lines;
  #plot;
  /** Of each line, its last number. */
  #latest = [];

  constructor(id) {
    this.#figure = document.getElementById(id);
    this.#place = this.#figure.querySelector('.plot');
    this.#kind = kinds[id];
    const { validation, threshold } = this.#kind;
    this.#lines = [rawLine, { ...smoothLine, name: validation ? 'train' : 'smoothed' }, ...(validation ? [validationLine] : []), ...(threshold ? [thresholdLine] : [])];
    this.#makeKey();
    this.#plot = new uPlot(this.#options(), [[], ...this.#lines.map(() => [])], this.#place);
  }

  get place() {
    return this.#place;
  }

  /** `drawn` are points of `perPoint` steps each, `threshold` there when gradients are clipped. */
  show({ drawn, perPoint, validations, threshold }) {
    const { of, log, validation } = this.#kind;
    const steps = drawn.map(({ step }) => step);
    const values = drawn.map((point) => (log ? positive : finite)(point[of]));
    const own = [steps, values, smoothed(values, reach)];
    const data = validation ? uPlot.join([own, [validations.map(({ step }) => step), validations.map((at) => finite(at[of]))]]) : own;
    this.#latest = own.slice(1).map((line) => line.findLast((value) => value !== null));
    if (validation) this.#latest.push(finite(validations.at(-1)?.[of]) ?? undefined);
    const empty = this.#latest.every((value) => value === undefined);
    if (this.#kind.threshold) {
      data.push(steps.map(() => threshold ?? null));
      this.#latest.push(threshold);
    }
    if (empty) this.#place.dataset.note = drawn.length > 0 ? 'This run has none' : 'Waiting for the first step';
    else delete this.#place.dataset.note;
    setText(this.#figure.querySelector('.key .name'), perPoint === 1 ? 'step' : `${whole(perPoint)} steps`);
    this.#plot.setData(data);
    this.#tell();
  }

  /** Anew with the colours and the room that there are now. */
  fit() {
    this.#plot.setSize({ width: this.#place.clientWidth, height: this.#place.clientHeight });
  }

  #options() {
    const { tick = short, log } = this.#kind;
    const axis = { stroke: () => color('quiet'), font, grid: { stroke: () => color('grid'), width: 1 }, ticks: { show: false } };
    return {
      width: this.#place.clientWidth,
      height: this.#place.clientHeight,
      legend: { show: false },
      cursor: { sync: { key: 'steps' }, drag: { x: false, y: false }, y: false, points: { size: 6 } },
      padding: [10, 12, 0, 0],
      scales: {
        x: { time: false, range: (_, low, high) => (low === null ? [0, 1] : [low, Math.max(high, low + 1)]) },
        y: { distr: log ? 3 : 1, range: yRange(this.#kind) },
      },
      axes: [
        { ...axis, size: 28, space: 70, incrs: wholeSteps, values: (_, at) => at.map((step) => whole(step)) },
        {
          ...axis,
          size: 58,
          space: 34,
          ...(log && { filter: logLabels }),
          values: (_, at) => at.map((value) => (value === null ? '' : tick(value))),
        },
      ],
      series: [
        {},
        ...this.#lines.map(({ own, width, dash, spanGaps, points }) => ({
          stroke: () => color(own),
          width,
          spanGaps: spanGaps ?? false,
          ...(dash && { dash }),
          points: points?.show ? { ...points, fill: () => color(own) } : { show: points ? false : (chart) => chart.data[0].length === 1 },
        })),
      ],
      hooks: { setCursor: [() => this.#tell()] },
    };
  }

  #makeKey() {
    const key = this.#figure.querySelector('.key');
    for (const { name, own, mark } of this.#lines) {
      const entry = document.createElement('div');
      entry.innerHTML = '<dt><span aria-hidden="true"></span><span class="name"></span></dt><dd></dd>';
      entry.querySelector('span').className = `swatch ${mark} own-${own}`;
      entry.querySelector('.name').textContent = name;
      key.append(entry);
    }
  }

  /** The numbers at the pointer, or the latest. */
  #tell() {
    const { data, cursor } = this.#plot ?? { cursor: {} };
    const pointed = typeof cursor.idx === 'number' && cursor.idx < data[0].length;
    // Between two evaluations the earlier one counts.
    const atPointer = (line, i) => (line.spanGaps ? data[i + 1].slice(0, cursor.idx + 1).findLast(Number.isFinite) : (data[i + 1][cursor.idx] ?? undefined));
    const shown = this.#lines.map((line, i) => (pointed ? atPointer(line, i) : this.#latest[i]));
    const texts = shown.map((value) => (value === undefined ? '–' : this.#kind.format(value)));
    for (const [i, entry] of this.#figure.querySelectorAll('.key dd').entries()) setText(entry, texts[i]);
    const [title, place] = this.#figure.querySelector('h2').childNodes;
    setText(place, pointed ? `at step ${whole(data[0][cursor.idx])}` : '');
    const names = [...this.#figure.querySelectorAll('.key .name')].map(({ textContent }) => textContent);
    this.#place.setAttribute('aria-label', `${title.textContent.trim()} by step: ${names.map((name, i) => `${name} ${texts[i]}`).join(', ')}`);
  }
}
