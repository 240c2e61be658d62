/**
 * Room: tests of docs. What is done with each fenced block. A block with a language has its rule by it; one without is listed here: the output of a
 * command, or a drawing.
 */
import type { Block } from './markdown.ts';

/** Blocks with these words behind the fence are run: which test does it. */
export const languages: Readonly<Record<string, string>> = { sh: 'commands.test.ts', ts: 'typescript.test.ts', json: 'configs.test.ts' };

const begins =
  (file: string, firstLine: string) =>
  (block: Block): boolean =>
    block.language === '' && block.file === file && block.text.startsWith(firstLine);

export type Rule = (block: Block) => boolean;

/** Commands with their arguments, one a line: run by commands.test.ts. */
export const synopses: readonly Rule[] = [begins('docs/usage.md', 'lockstep init [DATA]')];

/** What a command prints or writes: outputs.test.ts runs the command, and what it gives has the same form. */
export const outputs = {
  start: begins('README.md', 'live page and metrics at'),
  checkpoints: begins('docs/usage.md', 'step  epoch'),
  init: begins('docs/usage.md', '$ lockstep init'),
  predict: begins('docs/usage.md', 'class,'),
  findRate: begins('docs/usage.md', 'rate      loss'),
  firstWeights: begins('docs/usage.md', 'layer                weights'),
  sweep: begins('docs/usage.md', 'globalClipnorm  learningRate'),
  folder: begins('docs/reliability.md', 'checkpoints/'),
} as const;

/** Nothing to be run; names within them are looked up by names.test.ts. */
export const drawings: readonly Rule[] = [
  begins('docs/architecture.md', 'config ──parse'),
  begins('docs/architecture.md', 'config ──> coordinator'),
  begins('docs/architecture.md', 'format ──> RowFile'),
  begins('docs/cluster.md', 'main:  StepLinks'),
  begins('docs/cluster.md', 'rank:  Uplink'),
  begins('docs/monitoring.md', 'rank thread'),
  begins('docs/membership.md', 'sockets, heartbeats'),
  // Made from the schemas of messages: test/cluster/wire/document.test.ts compares the file with them.
  begins('docs/protocol.md', 'u32 header length'),
];
