/**
 * Room: scripts (level 8). First weights of a run from a file: whose layers may have other names there, of which some may be enough, and the table of what became of each.
 */
import { InvalidArgumentError, Option } from 'commander';
import { LockstepError } from '../../src/errors.ts';
import type { RunStart, TrainOptions } from '../../src/local/train-options.ts';

export interface InitFlags {
  readonly init?: string;
  readonly initNames?: Readonly<Record<string, string>>;
  readonly initPartial?: boolean;
}

function withName(text: string, before: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const [from, to, ...more] = text.split('=');
  if (!from || !to || more.length > 0) throw new InvalidArgumentError("Expected a layer's name in the file, `=`, and its name in the model.");
  if (Object.hasOwn(before, from)) throw new InvalidArgumentError(`Expected one name for \`${from}\`, got two.`);
  return { ...before, [from]: to };
}

export function initOptions(): Option[] {
  return [
    new Option('--init <file>', 'first weights (safetensors, model.json, .keras, .h5)'),
    new Option('--init-names <from=to>', "what a layer of that file is called in the model, 'encoder_*=*'; may be given several times").argParser(withName),
    new Option('--init-partial', 'take the layers of that file that fit, leave the rest, and say what became of each'),
  ];
}

/** Throws LOCKSTEP_USAGE for options about a file that is not given. */
export function initWith({ init, initNames, initPartial }: InitFlags): TrainOptions['init'] {
  if (initNames === undefined && initPartial === undefined) return init;
  if (init !== undefined) return { path: init, names: initNames, partial: initPartial };
  const flag = initNames === undefined ? '--init-partial' : '--init-names';
  throw new LockstepError('LOCKSTEP_USAGE', `Expected \`${flag}\` beside \`--init\`, got no file to take weights from; add \`--init F\`.`);
}

/** A line for each layer with weights: what it took, or why it did not; then the layers of the file that nobody took. */
export function loadedTable({ loaded, kept, unused }: NonNullable<RunStart['loaded']>): string {
  const rows = [
    ...loaded.map(({ layer, from }) => [layer, `from ${from}`]),
    ...kept.map(({ layer, reason }) => [layer, `not loaded: ${reason}`]),
    ...unused.map((layer) => ['-', `not used: ${layer}`]),
  ];
  const width = Math.max('layer'.length, ...rows.map(([layer]) => layer!.length));
  return [['layer', 'weights'], ...rows].map(([layer, what]) => `${layer!.padEnd(width)}  ${what}\n`).join('');
}
