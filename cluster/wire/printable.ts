/**
 * Room: cluster (level 7), wire. Sentences as messages carry them: as long as they may be, and nothing in them steers a terminal.
 */

/** The longest sentence, in UTF-16 units. */
export const mostSentence = 2000;

/** A sentence as the wire takes it: it may quote what a stranger, or a rank, wrote. */
export function printable(sentence: string): string {
  return sentence.slice(0, mostSentence).replace(/[^\P{Cc}\t\n]/gu, '?');
}
