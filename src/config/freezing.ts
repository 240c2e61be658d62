/**
 * Room: config (level 1). Which layers of a run learn nothing, and until when.
 */
import { z } from 'zod';
import { integer, listOf, record, text } from './rules.ts';

const patternsRule = 'the name of a layer, a pattern like `conv*`, or a list of them';
const entry = record('an object like { layers: "dense*", until: 2 }', {
  layers: z.union([text, listOf('pattern', text)], patternsRule).describe('Names of layers; `*` stands for any characters.'),
  until: integer(1).optional().describe('They learn from this epoch on, counted from 0: so many epochs are frozen. Never when absent.'),
});

export const freezeSchema = listOf('object with `layers`', entry);
export type FreezeConfig = z.output<typeof freezeSchema>;
