/**
 * Room: optimizers (level 3). Which weights an option is about: patterns over their names. A pattern is about a weight when it fits its name,
 * `<layer>/<weight>`, or the name of its layer; `*` stands for any characters, also none.
 */
import type { OptimizerConfig } from '../config/optimizers.ts';
import { LockstepError } from '../errors.ts';

/** True when `pattern` is about the weight, or the layer, `name`. */
export function isAbout(pattern: string, name: string): boolean {
  const escaped = pattern.split('*').map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  const whole = new RegExp(`^${escaped.join('.*')}$`, 's');
  return whole.test(name) || whole.test(name.slice(0, name.lastIndexOf('/')));
}

type Patterns = Pick<OptimizerConfig, 'excludeFromWeightDecay' | 'excludeFromAdaptiveClip' | 'learningRateFactors'>;

/** Throws LOCKSTEP_CONFIG with every pattern that is about none of the trained weights `names`. */
export function checkPatterns({ excludeFromWeightDecay = [], excludeFromAdaptiveClip = [], learningRateFactors = {} }: Patterns, names: readonly string[]): void {
  const unknown = (option: string, patterns: readonly string[]): string[] =>
    patterns.filter((pattern) => !names.some((name) => isAbout(pattern, name))).map((pattern) => `\`${pattern}\` of \`optimizer.${option}\``);
  const found = [
    ...unknown('excludeFromWeightDecay', excludeFromWeightDecay),
    ...unknown('excludeFromAdaptiveClip', excludeFromAdaptiveClip),
    ...unknown('learningRateFactors', Object.keys(learningRateFactors)),
  ];
  if (found.length === 0) return;
  throw new LockstepError(
    'LOCKSTEP_CONFIG',
    `Expected every pattern to fit a weight that is trained, got ${found.join(', ')}, which fit${found.length === 1 ? 's' : ''} none of ${shown(names)}; correct or remove ${found.length === 1 ? 'it' : 'them'}.`,
  );
}

/** Some of them, for a message. */
export function shown(names: readonly string[]): string {
  const first = names.slice(0, 8).map((name) => `\`${name}\``);
  return `${first.join(', ')}${names.length > 8 ? ` and ${names.length - 8} more` : ''}`;
}

/** By weight: what its learning rate is multiplied with, the product of the factors of all patterns about it, in the patterns' alphabetical order. */
export function rateFactors({ learningRateFactors = {} }: Patterns, names: readonly string[]): Float64Array {
  const patterns = Object.keys(learningRateFactors).toSorted();
  return Float64Array.from(names, (name) =>
    patterns.filter((pattern) => isAbout(pattern, name)).reduce((product, pattern) => product * learningRateFactors[pattern]!, 1),
  );
}

/** By weight: the share that a step of learning rate 1 removes. */
export function weightDecays({ weightDecay = 0, excludeFromWeightDecay = [] }: Patterns & Pick<OptimizerConfig, 'weightDecay'>, names: readonly string[]): Float64Array {
  return Float64Array.from(names, (name) => (excludeFromWeightDecay.some((pattern) => isAbout(pattern, name)) ? 0 : weightDecay));
}

/** By weight: whether `adaptiveClip`, which is set, clips its gradient. */
export function adaptivelyClipped({ excludeFromAdaptiveClip = [] }: Patterns, names: readonly string[]): boolean[] {
  return names.map((name) => !excludeFromAdaptiveClip.some((pattern) => isAbout(pattern, name)));
}
