/**
 * Room: scripts (level 8). `npm run bench [-- NAME...]`: measures and prints; never judges with its exit code, as machines
 * are noisy.
 */
import { measures } from './measures.ts';
import { formatFigure } from './stats.ts';

const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(measures);
const unknown = names.find((name) => !(name in measures));
if (unknown !== undefined) {
  process.stderr.write(`bench: Expected the names of measures (${Object.keys(measures).join(', ')}), got \`${unknown}\`.\n`);
  process.exitCode = 2;
} else {
  for (const name of names) {
    process.stdout.write(`${name}\n`);
    for (const figure of await measures[name]!()) process.stdout.write(`${formatFigure(figure)}\n`);
  }
}
