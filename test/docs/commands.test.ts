/**
 * Room: tests of docs. Every command that the docs show is run: those of a section's blocks one after another, those within sentences each by itself.
 */
import { spawnSync } from 'node:child_process';
import test from 'ava';
import { commandsIn, isCommand, reasonAgainst } from './adapt.ts';
import { at, type Block, documents, grouped } from './markdown.ts';
import { synopses } from './rules.ts';
import { type Command, commandsOf } from './shell.ts';
import { inTurn, prepared, runAll } from './stage.ts';

const stage = prepared();

/** Programs that a machine may lack. */
const installed = (program: string): boolean => spawnSync(program, ['--version']).error === undefined;
const missing = [
  [/^openssl /, 'openssl'],
  [/^npm run monitor/, 'prometheus'],
].filter(([, program]) => !installed(program as string)) as [RegExp, string][];

/** Faults that are asked for from outside come at step 50, and end the process. */
const untilFault = ['--steps', '60'];

function runs(title: string, texts: readonly string[]): void {
  const shown = texts.flatMap((text) => commandsOf(text).map((command) => command.text)).filter((text) => reasonAgainst(text) === undefined);
  if (shown.length === 0) return;
  const lacking = missing.find(([command]) => shown.some((text) => command.test(text)));
  const declare = lacking ? test.skip : test;
  declare(`${title}: ${shown.map((text) => `\`${text}\``).join(', ')}${lacking ? ` (NOT TESTED: no ${lacking[1]})` : ''}`, async (t) => {
    const commands = shown.flatMap((text): Command[] => commandsIn(text));
    const faulty = commands.some(({ variables }) => 'LOCKSTEP_FAULT' in variables);
    await inTurn(async () => {
      for (const { text, code, stdout, stderr } of await runAll(stage.copy(), commands, faulty ? untilFault : undefined)) {
        t.is(code, faulty ? null : 0, `${text}\n${stdout}${stderr}`);
      }
    });
  });
}

const blockCommands = new Set<string>();
const sections = documents.flatMap(({ blocks }) => [...grouped(blocks, ({ section }) => section).values()]);
for (const section of sections) {
  const shells = section.filter(({ language }) => language === 'sh');
  const texts = shells.flatMap(({ text }) => commandsOf(text).map((command) => command.text));
  if (texts.length > 0) runs(at(shells[0]!), texts);
  for (const text of texts) blockCommands.add(text);
}

/** The lines of a synopsis: what is behind two spaces or more is what it means. */
const synopsisLines = ({ text }: Block): string[] =>
  text
    .split('\n')
    .filter((line) => !line.startsWith(' '))
    .map((line) => line.split(/ {2,}/)[0]!);
for (const block of documents.flatMap(({ blocks }) => blocks).filter((each) => synopses.some((rule) => rule(each)))) {
  const lines = synopsisLines(block);
  for (const line of lines.filter((each) => !each.includes('join') && !each.includes('--listen'))) runs(at(block), [line]);
  runs(
    at(block),
    lines.filter((each) => each.includes('join') || each.includes('--listen')),
  );
}

const places = grouped(
  documents.flatMap(({ codes }) => codes).filter(({ text }) => isCommand(text) && !blockCommands.has(text)),
  ({ text }) => text,
);
for (const [text, codes] of places) runs(codes.map(at).join(', '), [text]);
