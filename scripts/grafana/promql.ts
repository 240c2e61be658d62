/**
 * Room: scripts (level 8), Grafana. PromQL from the table of metrics: a name is never typed a second time, and a metric is filtered by
 * the run, and by the hosts where each host tells its own.
 */
import type { MetricDefinition as Metric } from '../../src/telemetry/names.ts';

export type { Metric };

/** Wide enough for four scrapes, whatever is zoomed into. */
const window = '$__rate_interval';

function braces(matchers: readonly string[]): string {
  return matchers.length > 0 ? `{${matchers.join(', ')}}` : '';
}

/** Metrics of the leading process have one host only: filtering them by host would hide them as soon as another one is chosen. */
function isPerHost({ toldBy, labels }: Metric): boolean {
  return toldBy === 'every process' || labels.includes('host');
}

function chosen(metric: Metric, matchers: readonly string[]): string {
  return braces(['run="$run"', ...(isPerHost(metric) ? ['host=~"$host"'] : []), ...matchers]);
}

/** The series of the chosen run and hosts. */
export function series(metric: Metric, ...matchers: readonly string[]): string {
  return metric.name + chosen(metric, matchers);
}

/** The same of all runs and hosts: for alerts. */
export function anySeries(metric: Metric, ...matchers: readonly string[]): string {
  return metric.name + braces(matchers);
}

/** Growth a second. */
export function rate(counter: Metric, ...matchers: readonly string[]): string {
  return `rate(${series(counter, ...matchers)}[${window}])`;
}

/** Growth within what one point of the chart stands for. */
export function increase(counter: Metric, ...matchers: readonly string[]): string {
  return `increase(${series(counter, ...matchers)}[${window}])`;
}

/** Growth of each bucket, for heat maps. */
export function buckets(histogram: Metric): string {
  return `sum by (le) (increase(${histogram.name}_bucket${chosen(histogram, [])}[${window}]))`;
}

/** The value that the share `q` of observations stayed below. */
export function quantile(q: number, histogram: Metric, over = window): string {
  return `histogram_quantile(${q}, sum by (le) (rate(${histogram.name}_bucket${chosen(histogram, [])}[${over}])))`;
}

/** The mean of all observations so far. */
export function mean(histogram: Metric): string {
  const filter = chosen(histogram, []);
  return `sum(${histogram.name}_sum${filter}) / sum(${histogram.name}_count${filter})`;
}

/** A counter that does not exist until something went wrong: 0 until then. */
export function orZero(expression: string): string {
  return `${expression} or on () vector(0)`;
}

/** The same where it is drawn by a label: a single `none` until then, as an empty panel could as well be a broken one. */
export function orNone(expression: string, label: string): string {
  return `${expression} or on () label_replace(vector(0), "${label}", "none", "", "")`;
}
