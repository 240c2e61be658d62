/** Room: tests of scripts. What an expression of PromQL asks for, by Prometheus' own grammar: metrics with their labels, and what is no PromQL. */
import { parser } from '@prometheus-io/lezer-promql';
import { type MetricDefinition, metrics } from '../../../src/telemetry/names.ts';

const table: readonly MetricDefinition[] = Object.values(metrics);

/** Names as Prometheus has them, with the labels of each. */
const known = new Map<string, ReadonlySet<string>>(
  table.flatMap(({ name, type, labels }) => {
    const all = ['run', 'host', ...labels];
    if (type !== 'histogram') return [[name, new Set(all)] as const];
    return [[`${name}_bucket`, new Set([...all, 'le'])] as const, [`${name}_sum`, new Set(all)] as const, [`${name}_count`, new Set(all)] as const];
  }),
);

/** The metric of the table that a name belongs to, be it one of the three of a histogram. */
export function metricOf(name: string): string {
  return known.has(name) ? name.replace(/_(?:bucket|sum|count)$/, (end) => (table.some((metric) => metric.name === name) ? end : '')) : name;
}

export interface Asked {
  readonly metrics: readonly string[];
  /** One sentence for everything that is wrong. */
  readonly faults: readonly string[];
}

export function asked(query: string): Asked {
  const names = new Set<string>();
  const faults: string[] = [];
  const made = new Set([...query.matchAll(/(?:count_values|label_replace|label_join)\b.*?"(\w+)"/g)].map(([, label]) => label!));
  const labels = new Set<string>();
  parser.parse(query).iterate({
    enter: ({ type, from, to, node }) => {
      const text = query.slice(from, to);
      if (type.isError) faults.push(`no PromQL at ${from}: ${query.slice(Math.max(0, from - 10), from + 20)}`);
      if (type.name === 'GroupingLabels') for (const label of text.match(/\w+/g) ?? []) labels.add(label);
      if (type.name !== 'VectorSelector') return;
      const name = node.getChild('Identifier');
      if (!name) return void faults.push(`a selector without a name: ${text}`);
      const metric = query.slice(name.from, name.to);
      names.add(metric);
      const has = known.get(metric);
      if (!has) return void faults.push(`${metric} is not in the table of metrics`);
      for (const [, label] of text.matchAll(/[{,]\s*(\w+)\s*(?:=~|!~|!=|=)/g)) if (!has.has(label!)) faults.push(`${metric} has no label ${label}`);
    },
  });
  const anywhere = new Set([...made, ...[...names].flatMap((name) => [...(known.get(name) ?? [])])]);
  for (const label of labels) if (!anywhere.has(label)) faults.push(`no metric of the query has the label ${label}`);
  return { metrics: [...names], faults };
}
