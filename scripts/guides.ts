/**
 * Room: scripts (level 8). `npm run guides [-- NAME...]`: runs the examples and writes their tables and plots into docs/guides/.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { guidesIn, madeOf, runExample } from './guides/guide.ts';

const root = new URL('../../', import.meta.url).pathname;
const guides = join(root, 'docs/guides');
const asked = process.argv.slice(2);
for (const name of guidesIn(guides)) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-guide-'));
  try {
    await runExample(root, name, folder);
    const path = join(guides, `${name}.md`);
    const { text, plots } = madeOf(name, readFileSync(path, 'utf8'), folder);
    writeFileSync(path, text);
    for (const [file, svg] of plots) writeFileSync(join(guides, file), svg);
    process.stdout.write(`docs/guides/${name}.md and ${plots.size} plots\n`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
