/**
 * Room: tests of docs. No example goes by unseen: every fenced block has exactly one rule, and every rule and exception a block or command that it is for.
 */
import test from 'ava';
import { isCommand, isName, notRun, reasonAgainst } from './adapt.ts';
import { at, type Block, documents, readDocument } from './markdown.ts';
import { drawings, languages, outputs, type Rule, synopses } from './rules.ts';
import { commandsOf } from './shell.ts';

const blocks = documents.flatMap((document) => document.blocks);
const listed: readonly Rule[] = [...synopses, ...Object.values(outputs), ...drawings];
const rulesOf = (block: Block): number => (block.language in languages ? 1 : 0) + listed.filter((rule) => rule(block)).length;

test('every fenced block has one rule: a language whose blocks are run, or a line of rules.ts', (t) => {
  t.true(blocks.length >= 25);
  t.deepEqual(
    blocks.filter((block) => rulesOf(block) !== 1).map((block) => `${at(block)} ${block.language}: ${block.text.split('\n')[0]}`),
    [],
  );
});

test('a block that nobody thought of has no rule', (t) => {
  const [unknown, yaml] = readDocument('docs/new.md', '# New\n```\nlockstep dance\n```\n```yaml\na: 1\n```\n').blocks;
  t.deepEqual([rulesOf(unknown!), rulesOf(yaml!)], [0, 0]);
  t.is(unknown!.line, 2);
});

test('every listed block is there once', (t) => {
  for (const rule of listed) t.is(blocks.filter(rule).length, 1, String(rule));
});

test('every reason not to run a command is about a command of the docs', (t) => {
  const inBlocks = blocks.filter(({ language }) => language === 'sh').flatMap(({ text }) => commandsOf(text));
  const inSentences = documents.flatMap(({ codes }) => codes).flatMap(({ text }) => (isCommand(text) ? commandsOf(text) : []));
  const texts = [...inBlocks, ...inSentences].map(({ text }) => text);
  t.true(texts.length > 40);
  for (const [command] of notRun)
    t.true(
      texts.some((text) => command.test(text)),
      String(command),
    );
  t.is(reasonAgainst('npm start'), undefined);
});

test('a name of a command is no command to run', (t) => {
  t.deepEqual([isCommand('lockstep join'), isName('lockstep join'), isCommand('lockstep join URL')], [false, true, true]);
});
