/**
 * Room: scripts (level 8). `npm run dashboards`: writes what is made from the table of metrics: dashboards and alerts in grafana/, and
 * docs/metrics.md.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { generatedFiles } from './grafana/files.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

for (const { path, text } of generatedFiles()) {
  writeFileSync(join(root, path), text);
  process.stdout.write(`${path}\n`);
}
