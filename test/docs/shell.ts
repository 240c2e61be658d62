/**
 * Room: tests of docs. The lines of a shell that the docs show, taken apart: words, comments, quotes, `&&`, `>` and variables before a program.
 * It knows no more of a shell than they need, and throws at anything else.
 */

export interface Command {
  /** As it is written, without its comment. */
  readonly text: string;
  readonly variables: Readonly<Record<string, string>>;
  readonly words: readonly string[];
  /** The file behind `>`. */
  readonly output?: string;
}

const token = /\s*(?:(#.*)|(&&|>)|((?:'[^']*'|"[^"$`]*"|[^\s'"&|;<>$`#\\]|(?<=\S)#)+))/y;

/** The commands of some lines, in their order. */
export function commandsOf(text: string): Command[] {
  return text.split('\n').flatMap(commandsOfLine);
}

function commandsOfLine(line: string): Command[] {
  const commands: { begin: number; end: number; words: string[]; output: boolean }[] = [];
  let now: (typeof commands)[number] | undefined;
  token.lastIndex = 0;
  while (token.lastIndex < line.trimEnd().length) {
    const found = token.exec(line);
    if (found === null) throw new Error(`Expected a command that the tests understand, got: ${line}`);
    const [, comment, operator, word] = found;
    if (comment !== undefined) break;
    if (operator === '&&') now = undefined;
    else {
      if (now === undefined) {
        now = { begin: token.lastIndex - (word ?? '').length, end: 0, words: [], output: false };
        commands.push(now);
      }
      now.end = token.lastIndex;
      if (operator === '>') now.output = true;
      else now.words.push(word!.replaceAll(/'([^']*)'|"([^"]*)"/g, (_, single, double) => single ?? double));
    }
  }
  return commands.map(({ begin, end, words, output }) => {
    const variables = words.filter((_, i) => words.slice(0, i + 1).every((each) => /^[A-Z_]+=/.test(each)));
    const rest = words.slice(variables.length, output ? -1 : undefined);
    return {
      text: line.slice(begin, end),
      variables: Object.fromEntries(variables.map((word) => [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)])),
      words: rest,
      ...(output && { output: words.at(-1)! }),
    };
  });
}
