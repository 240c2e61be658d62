/**
 * Room: tests of docs. What the docs point to is there: files, headings, scripts, commands and their options.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import test from 'ava';
import { lockstep, packageRoot, start } from '../scripts/command.ts';
import { at, codesIn, documents, tableRows } from './markdown.ts';
import { drawings } from './rules.ts';

for (const { file, links } of documents.filter((document) => document.links.length > 0)) {
  test(`links of ${file} lead somewhere`, (t) => {
    for (const link of links.filter(({ target }) => !/^https?:/.test(target))) {
      const [path, anchor] = link.target.split('#') as [string, string?];
      const named = path === '' ? file : normalize(join(dirname(file), path));
      t.true(existsSync(join(packageRoot, named)), `${at(link)}: ${link.target}`);
      if (anchor !== undefined) t.true(documents.find((each) => each.file === named)?.anchors.includes(anchor), `${at(link)}: ${link.target}`);
    }
  });
}

/** The options of a command by its help, aliases left out. */
async function optionsOf(...command: string[]): Promise<readonly string[]> {
  const { code, stdout, stderr } = await lockstep(...command, '--help');
  if (code !== 0) throw new Error(stderr);
  return [...stdout.matchAll(/^ {2}(?:-\w, )?(--[\w-]+)/gm)].map(([, option]) => option!).filter((option) => option !== '--help');
}

/** The options that the first column of tables names. */
const optionsInTables = (section: string, firstColumn: string): string[] =>
  tableRows('docs/usage.md', section, firstColumn).flatMap(({ cells }) => codesIn(cells[0]!).flatMap((code) => code.match(/^--[\w-]+/) ?? []));

test('the tables of options of train and join name all that there are, and no other', async (t) => {
  const several = optionsInTables('Several hosts', 'option of `train`').filter((option) => option !== '--workers');
  const train = [...optionsInTables('Options of `train`', 'option'), ...several];
  t.deepEqual(train.filter((option) => option !== '--verbose').toSorted(), (await optionsOf('train')).toSorted());
  t.true((await optionsOf()).includes('--verbose'));
  t.deepEqual(optionsInTables('Several hosts', 'option of `join`').toSorted(), (await optionsOf('join')).toSorted());
});

const commands = [
  'init',
  'train',
  'join',
  'evaluate',
  'predict',
  'fold',
  'find-lr',
  'summary',
  'checkpoints',
  'plot',
  'recalibrate',
  'schema',
  'doctor',
  'convert',
  'sweep',
];

test('every option in the docs is one of a command', async (t) => {
  const of = await Promise.all(commands.map(async (command) => await optionsOf(command)));
  const help = async (script: string): Promise<string> => (await start(process.execPath, [join(packageRoot, 'dist/scripts', script), '--help']).end).stdout;
  const others = (await Promise.all(['chaos.js', 'soak.js'].map(help))).flatMap((text) => text.match(/--[\w-]+/g) ?? []);
  t.true(others.includes('--minutes'));
  // Of npm run monitor, tensorboard and kernel flags.
  const known = new Set([...of.flat(), ...others, '--help', '--version', '--verbose', '--port', '--logdir']);
  for (const code of documents.flatMap(({ codes }) => codes))
    for (const [option] of code.text.matchAll(/(?<![\w-])--[a-z][\w-]*/g)) t.true(known.has(option), `${at(code)}: ${option}`);
});

test('the synopsis has every command', async (t) => {
  const synopsis = documents.flatMap(({ blocks }) => blocks).find(({ text }) => text.startsWith('lockstep init [DATA]'))!;
  t.deepEqual([...new Set([...synopsis.text.matchAll(/^lockstep ([\w-]+)/gm)].map(([, command]) => command!))].toSorted(), commands.toSorted());
  const { stdout } = await lockstep('--help');
  t.deepEqual(
    [...stdout.slice(stdout.indexOf('Commands:')).matchAll(/^ {2}([\w-]+)/gm)]
      .map(([, command]) => command!)
      .filter((command) => command !== 'help')
      .toSorted(),
    commands.toSorted(),
  );
});

test('every script that the docs name is in package.json', (t) => {
  const { scripts } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { scripts: object };
  const texts = documents.flatMap(({ file, codes, blocks }) => [...codes, ...blocks].map(({ text }) => ({ file, text })));
  const named = texts.flatMap(({ file, text }) =>
    [...text.matchAll(/\bnpm (?:run ([\w-]+)|(start|test)\b)/g)].map(([, run, short]) => ({ file, script: run ?? short! })),
  );
  t.true(named.length > 15);
  for (const { file, script } of named) t.true(script in scripts, `${file}: ${script}`);
});

const sources = ['src', 'cluster', 'scripts', 'test'].flatMap((folder) =>
  readdirSync(join(packageRoot, folder), { recursive: true, encoding: 'utf8' }).map((name) => `${folder}/${name}`),
);

test('every file of the project that the docs name is there', (t) => {
  for (const { file, codes, blocks } of documents) {
    const texts = [...codes, ...blocks.filter((block) => drawings.some((rule) => rule(block)))];
    for (const { text, line } of texts)
      for (const [path] of text.matchAll(/(?<![\w/.<-])(?:src|cluster|scripts|test|examples|grafana|docs)\/[\w./-]*\w/g))
        t.true(existsSync(join(packageRoot, path)), `${file}:${line}: ${path}`);
  }
});

test('every name of the code in a drawing is in the sources', (t) => {
  const all = new Set(
    sources.filter((name) => /^(?:src|cluster)\/.*\.ts$/.test(name)).flatMap((name) => readFileSync(join(packageRoot, name), 'utf8').match(/\w+/g) ?? []),
  );
  for (const block of documents.flatMap(({ blocks }) => blocks).filter((each) => drawings.some((rule) => rule(each))))
    for (const [name] of block.text.matchAll(/\b(?:[a-z]+|[A-Z][a-z]+)[A-Z][a-z]\w*/g)) t.true(all.has(name), `${at(block)}: ${name}`);
});
