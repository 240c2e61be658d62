/**
 * Room: scripts (level 8), Grafana. The dashboards, and all that they ask Prometheus, with Grafana's variables replaced: what tests parse and
 * run.
 */
import { anatomy } from './anatomy.ts';
import { cluster } from './cluster.ts';
import { annotations, type DashboardSpec } from './layout.ts';
import { run } from './run.ts';

export const dashboards: readonly DashboardSpec[] = [run, anatomy, cluster];

/** What stands for Grafana's variables. */
export interface Values {
  readonly run: string;
  /** A regular expression. */
  readonly host: string;
  readonly rateInterval: string;
}

export interface PanelQuery {
  readonly dashboard: string;
  readonly panel: string;
  readonly query: string;
  /** True when it has no result before something went wrong. */
  readonly faultsOnly: boolean;
}

const everything: Values = { run: 'run', host: '.+', rateInterval: '10s' };

export function substituted(expression: string, { run, host, rateInterval }: Values = everything): string {
  return expression.replaceAll('$run', run).replaceAll('$host', host).replaceAll('$__rate_interval', rateInterval);
}

/** Every query of every panel. */
export function allQueries(values: Partial<Values> = {}): PanelQuery[] {
  return dashboards.flatMap(({ title, rows }) =>
    rows.flatMap(({ panels }) =>
      panels.flatMap(({ subject }) =>
        subject.queries.map(({ expr, faultsOnly = false }) => ({
          dashboard: title,
          panel: subject.title,
          query: substituted(expr, { ...everything, ...values }),
          faultsOnly,
        })),
      ),
    ),
  );
}

/** What the vertical lines ask. They have a result only where something happened. */
export function annotationQueries(values: Partial<Values> = {}): string[] {
  return annotations.map(({ expr }) => substituted(expr, { ...everything, ...values }));
}
