/**
 * Room: config (level 1). The building blocks of every schema: a predicate with the words of its rule. It promises that
 * the message of each zod issue is exactly the rule's words ("an integer >= 1"), or, for unknown keys, the list of the
 * known ones; `sentences.ts` builds the sentence around it. Nothing here knows what a run is.
 */
import { z } from 'zod';
import { integerRule } from '../check.ts';

/** An integer in [min, max], both included; at most 2^53 - 1. */
export function integer(min: number, max: number = Number.MAX_SAFE_INTEGER) {
  const rule = integerRule(min, max);
  return z
    .number(rule)
    .refine((value) => Number.isSafeInteger(value) && value >= min && value <= max, rule)
    .meta({ type: 'integer', minimum: min, maximum: max });
}

/**
 * A number for which `accepts` holds; `schema` says as much of it as JSON Schema has words for. Kernels compute in float32, where
 * 1e39 is Infinity and 1e-46 is 0: a rule is about what becomes of the number there.
 */
function numberWhere(rule: string, accepts: (value: number) => boolean, schema: Record<string, number>) {
  return z.number(rule).refine(accepts, rule).meta(schema);
}

const isPositive = (value: number): boolean => Math.fround(value) > 0 && Math.fround(value) < Number.POSITIVE_INFINITY;

/** For data that comes as values, not as a config: the predicate and the words of `positive`. */
export const positiveRule = {
  words: 'a finite number > 0 in float32',
  accepts: (value: unknown): value is number => typeof value === 'number' && isPositive(value),
};
export const positive = numberWhere(positiveRule.words, isPositive, { exclusiveMinimum: 0 });
export const nonNegative = numberWhere(`0 or ${positiveRule.words}`, (value) => value === 0 || isPositive(value), { minimum: 0 });
export const fraction = numberWhere('a number from 0 to 1', (value) => value >= 0 && value <= 1, { minimum: 0, maximum: 1 });
export const percent = numberWhere('a number from 0 to 100', (value) => value >= 0 && value <= 100, { minimum: 0, maximum: 100 });
export const fractionBelowOne = numberWhere('a number >= 0 that is < 1 in float32', (value) => value >= 0 && Math.fround(value) < 1, { minimum: 0, exclusiveMaximum: 1 });
export const atLeastOne = numberWhere('a finite number >= 1 in float32', (value) => value >= 1 && isPositive(value), { minimum: 1 });
export const fractionInside = numberWhere('a number > 0 and < 1', (value) => value > 0 && value < 1, { exclusiveMinimum: 0, exclusiveMaximum: 1 });
export const finite = numberWhere('a finite number in float32', (value) => Number.isFinite(Math.fround(value)), {});
export const flag = z.boolean('true or false');
export const text = z.string('a text of at least one character').min(1, 'a text of at least one character');

/** One of the names. */
export function choice<const T extends readonly string[]>(...names: T) {
  return z.enum(names, `one of ${names.join(', ')}`);
}

/** A list of at least one `item`; `what` names it: "a list of at least one layer". */
export function listOf<T extends z.ZodType>(what: string, item: T) {
  const rule = `a list of at least one ${what}`;
  return z.array(item, rule).min(1, rule);
}

/** An object with these keys and no others. */
export function record<T extends z.ZodRawShape>(what: string, shape: T) {
  const known = Object.keys(shape).join(', ');
  return z.strictObject(shape, { error: (issue) => (issue.code === 'unrecognized_keys' ? known : what) });
}

/** The error of a discriminated union: `what` for a value that is no object, the list of names for a wrong or absent name. */
export function variantError(what: string, kind: string, names: readonly string[]) {
  return { error: (issue: { code?: string | undefined }) => (issue.code === 'invalid_union' ? `${kind} (${names.join(', ')})` : what) };
}

/** Reports one broken rule at a path below the object that is checked; `names` are those that would have been right there. */
export type Report = (path: (string | number)[], rule: string, names?: readonly string[]) => void;

/** Adds a rule across fields: `find` reports every problem. It runs beside the fields' own problems, so it trusts no type. */
export function across<T extends z.ZodType>(schema: T, find: (value: unknown, report: Report) => void): T {
  const when = () => true;
  return schema.check(
    z.superRefine(
      (value: unknown, context) => find(value, (path, message, names) => context.addIssue({ code: 'custom', path, message, ...(names && { params: { names } }) })),
      { when },
    ),
  );
}

/** `value[key]` where value is an object of any origin; undefined otherwise. */
export function field(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
}
