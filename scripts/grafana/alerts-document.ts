/**
 * Room: scripts (level 8), Grafana. grafana/alerts.yml from the rules of alerts.
 */
import { type Alert, alertGroups } from './alerts.ts';

/** A file of rules. A string of JSON is one of YAML, too. */
export function alertsYaml(): string {
  const rules = ({ alert, expr, for: duration, severity, summary, description }: Alert): string =>
    [
      `      - alert: ${alert}`,
      `        expr: ${JSON.stringify(expr)}`,
      `        for: ${duration}`,
      '        labels:',
      `          severity: ${severity}`,
      '        annotations:',
      `          summary: ${JSON.stringify(summary)}`,
      `          description: ${JSON.stringify(description)}`,
    ].join('\n');
  const groups = alertGroups.map(({ name, rules: all }) => `  - name: ${name}\n    rules:\n${all.map(rules).join('\n')}\n`);
  return `# Made from scripts/grafana/alerts.ts by \`npm run dashboards\`; tested by alerts.test.yml.\ngroups:\n${groups.join('')}`;
}
