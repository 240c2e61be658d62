/**
 * Room: scripts (level 8), Grafana. Everything that is generated from the table of metrics, as files: the same bytes from the same sources.
 */
import { alertsYaml } from './alerts-document.ts';
import { dashboard } from './layout.ts';
import { metricsDocument } from './metrics-document.ts';
import { dashboards } from './queries.ts';

export interface GeneratedFile {
  /** From the root of the project. */
  readonly path: string;
  readonly text: string;
}

export function generatedFiles(): GeneratedFile[] {
  return [
    ...dashboards.map((spec) => ({ path: `grafana/dashboards/${spec.uid}.json`, text: `${JSON.stringify(dashboard(spec), null, 2)}\n` })),
    { path: 'grafana/alerts.yml', text: alertsYaml() },
    { path: 'docs/metrics.md', text: metricsDocument() },
  ];
}
