/**
 * Room: scripts (level 8), Grafana. docs/metrics.md from the table of metrics.
 */
import { type MetricDefinition, metrics } from '../../src/telemetry/names.ts';

const introduction = `# Metrics

<!-- Made from src/telemetry/names.ts by \`npm run dashboards\`. -->

Every process of a run answers \`GET /metrics\` in Prometheus' text format, at http://127.0.0.1:9464/metrics unless \`--metrics HOST:PORT\` says otherwise;
\`--metrics off\` turns it off. When the port is taken, a message names the next free one that is used instead. The endpoint ends with the process;
\`--linger 30s\` keeps it up that much longer, so that the last values are scraped.

The coordinator answers \`GET /targets\` with the addresses of the metrics of all hosts, itself included, in the format of Prometheus' \`http_sd\`: whoever scrapes by
it (\`grafana/prometheus.yml\` does) finds hosts that join and forgets those that leave. [Monitoring](monitoring.md) shows how to look at it all.

All metrics carry the labels \`run\`, the name of the run, and \`host\`, the process that tells them; where \`host\` is among a metric's own labels, it is the host that is told
about. Labels are bounded: steps and epochs are values, never labels. Series of a host end when it leaves. Beside these there are the metrics of the process and of
Node that prom-client has by default (\`process_*\`, \`nodejs_*\`).

A histogram \`x\` is three metrics: \`x_bucket\` with the label \`le\`, \`x_sum\` and \`x_count\`. "Told by" says who has a metric: every process of a run, or only the one that leads it
(on a single machine the only one).
`;

/** A table whose columns are as wide as their widest cell: as the formatter has them. */
function table(rows: readonly (readonly string[])[]): string {
  const cells = rows.map((row) => row.map((cell) => cell.replaceAll('|', '\\|')));
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)));
  const line = (row: readonly string[]): string => `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`;
  return [line(cells[0]!), line(widths.map((width) => '-'.repeat(width))), ...cells.slice(1).map(line)].join('\n');
}

function code(words: readonly string[]): string {
  return words.map((word) => `\`${word}\``).join(', ');
}

function group(name: string, members: readonly MetricDefinition[]): string {
  const rows = members.map(({ name: metric, type, unit, labels, toldBy, help }) => [code([metric]), type, unit, code(labels), toldBy, help]);
  const buckets = members.flatMap(({ name: metric, unit, buckets: bounds }) =>
    bounds ? [`Buckets of \`${metric}\`${unit === '1' ? '' : ` (${unit})`}: ${bounds.join(', ')}, +Inf.`] : [],
  );
  return [`## ${name}`, table([['metric', 'type', 'unit', 'labels', 'told by', 'meaning'], ...rows]), ...buckets].join('\n\n');
}

export function metricsDocument(): string {
  const all: readonly (MetricDefinition & { readonly group: string })[] = Object.values(metrics);
  const names = [...new Set(all.map((metric) => metric.group))];
  return `${[
    introduction.trim(),
    ...names.map((name) =>
      group(
        name,
        all.filter((metric) => metric.group === name),
      ),
    ),
  ].join('\n\n')}\n`;
}
