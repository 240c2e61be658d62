/**
 * Room: tests of scripts. Guides are what their examples make: every table and every plot, byte by byte, since the same run gives the same bits.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { guidesIn, madeOf, runExample, withoutMeasured } from '../../../scripts/guides/guide.ts';
import { packageRoot } from '../command.ts';

const guides = join(packageRoot, 'docs/guides');
const base = mkdtempSync(join(tmpdir(), 'lockstep-guides-'));
test.after.always(() => rmSync(base, { recursive: true, force: true }));

const hasFashion = existsSync('/usr/share/datasets/fashion-mnist');
const needsFashion = (name: string): boolean => readFileSync(join(packageRoot, 'examples', `${name}.ts`), 'utf8').includes('datasets.fashionMnist');

test('every guide has an example, every example but the first a guide, and every plot is of a guide', (t) => {
  const names = guidesIn(guides);
  const examples = readdirSync(join(packageRoot, 'examples'), { withFileTypes: true }).flatMap((file) =>
    file.isFile() && file.name.endsWith('.ts') ? [file.name.slice(0, -3)] : [],
  );
  t.deepEqual(examples.filter((name) => name !== 'mnist').toSorted(), names);
  const shown = names.flatMap((name) => [...readFileSync(join(guides, `${name}.md`), 'utf8').matchAll(/\(([\w-]+\.svg)\)/g)].map(([, file]) => file!));
  t.deepEqual(
    readdirSync(guides)
      .filter((file) => file.endsWith('.svg'))
      .toSorted(),
    shown.toSorted(),
  );
});

for (const name of guidesIn(guides)) {
  const declared = needsFashion(name) && !hasFashion ? test.skip : test.serial;
  declared(`docs/guides/${name}.md is what examples/${name}.ts makes${hasFashion ? '' : ' (needs dataset-fashion-mnist)'}`, async (t) => {
    t.timeout(300_000);
    const folder = join(base, name);
    await mkdir(folder);
    await runExample(packageRoot, name, folder);
    const written = readFileSync(join(guides, `${name}.md`), 'utf8');
    const { text, plots } = madeOf(name, written, folder);
    t.is(withoutMeasured(text), withoutMeasured(written), 'run `npm run guides`');
    for (const [file, svg] of plots) t.true(readFileSync(join(guides, file), 'utf8') === svg, `${file}: run \`npm run guides\``);
  });
}

test('tables take the place of what was between their marks, and a table or a plot that nobody made is an error', async (t) => {
  const folder = join(base, 'made');
  await mkdir(join(folder, 'runs'), { recursive: true });
  writeFileSync(join(folder, 'one.md'), '| new |\n');
  writeFileSync(join(folder, 'runs', '01 first run.jsonl'), '{"event":"step","step":1,"loss":2,"metrics":{},"gradNorm":1,"learningRate":0.5}\n');
  const page = (table: string): string => `# Page\n\n<!-- table: one -->\n${table}<!-- end -->\n\n![Curves](page-runs.svg)\n`;
  const { text, plots } = madeOf('page', page('\n| old |\n\n'), folder);
  t.is(text, page('\n| new |\n\n'));
  t.deepEqual([...plots.keys()], ['page-runs.svg']);
  t.regex(plots.get('page-runs.svg')!, />first run</);
  t.notRegex(plots.get('page-runs.svg')!, /learning rate/);
  t.throws(() => madeOf('page', '<!-- table: two -->\n<!-- end -->\n', folder), { code: 'ENOENT' });
  t.throws(() => madeOf('page', '![Curves](page-other.svg)', folder), { code: 'ENOENT' });
  t.is(withoutMeasured('<!-- table: one (measured) -->\n\n| 3 s |\n\n<!-- end -->'), '<!-- table: one (measured) -->\n<!-- end -->');
});
