/**
 * Room: config (level 1). From zod's issues to sentences: place, rule, what was received, mend. It promises one sentence
 * per problem, each on one line, for every issue the schemas can make; the rules' words come from the schemas.
 */
import type { z } from 'zod';
import { nearest, show } from '../check.ts';
import { LockstepError } from '../errors.ts';
import { field } from './rules.ts';

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

interface Problem {
  readonly place: string;
  readonly sentence: string;
  /** The place is a required key that is absent. */
  readonly missing: boolean;
  /** For an unknown key: the place it was probably meant for. */
  readonly meant?: string | undefined;
}

/** All problems of a value as sentences. `where` names the value; `config` names the whole run and is left out of places. */
export function sentences(issues: readonly Issue[], value: unknown, where: string): string[] {
  const problems = issues.flatMap((issue) => problemsOf(issue, issue.path, value, where));
  // A required key that is only misspelt is one problem, not two.
  const meant = new Set(problems.map((problem) => problem.meant));
  const shown = problems.filter((problem) => !(problem.missing && meant.has(problem.place)));
  return [...new Set(shown.map((problem) => problem.sentence))];
}

function problemsOf(issue: Issue, path: Path, root: unknown, where: string): Problem[] {
  if (issue.code === 'unrecognized_keys') {
    const known = issue.message.split(', ');
    return issue.keys.map((key) => unknownKey(key, known, path, where));
  }
  const received = path.reduce<unknown>((value, key) => field(value, String(key)), root);
  if (issue.code === 'invalid_union' && issue.discriminator === undefined) {
    const fitting = issue.errors.filter((branch) => isKindOf(received, branch));
    if (fitting.length === 1) return fitting[0]!.flatMap((inner) => problemsOf(inner, [...path, ...inner.path], root, where));
  }
  const place = placeOf(path, where);
  const missing = received === undefined;
  const near = typeof received === 'string' ? nearest(received, namesOf(issue)) : undefined;
  const mend = missing ? '; add it.' : near === undefined ? '.' : `; did you mean \`${near}\`?`;
  return [{ place, missing, sentence: `Expected \`${place}\` to be ${issue.message}, got ${show(received)}${mend}` }];
}

/** Makes sure that an object that is no config has no other keys than these. Throws LOCKSTEP_CONFIG as a config would. */
export function checkKeys(value: object, known: readonly string[], where: string): void {
  const unknown = Object.keys(value).filter((key) => !known.includes(key));
  if (unknown.length === 0) return;
  throw new LockstepError('LOCKSTEP_CONFIG', unknown.map((key) => unknownKey(key, known, [], where).sentence).join('\n'));
}

function unknownKey(key: string, known: readonly string[], path: Path, where: string): Problem {
  const place = placeOf([...path, key], where);
  const near = nearest(key, known);
  const mend = near === undefined ? '' : `; did you mean \`${near}\`?`;
  return {
    place,
    missing: false,
    meant: near === undefined ? undefined : placeOf([...path, near], where),
    sentence: `Unknown key \`${place}\`${mend} (known: ${known.join(', ')}).`,
  };
}

/** True when a union's branch failed only inside a value of the right kind, so that its issues are the ones to tell. */
function isKindOf(received: unknown, branch: readonly Issue[]): boolean {
  return branch.every((issue) => {
    if (issue.code === 'invalid_union' && issue.discriminator !== undefined && issue.path.length === 1) {
      return field(received, issue.discriminator) !== undefined;
    }
    return issue.path.length > 0 || !['invalid_type', 'invalid_value', 'invalid_union'].includes(issue.code);
  });
}

/** The names that would have been right at the issue's own place. */
function namesOf(issue: Issue): string[] {
  if (issue.code === 'invalid_value') return issue.values.map(String);
  if (issue.code === 'custom') return (issue.params?.['names'] as string[] | undefined) ?? [];
  if (issue.code !== 'invalid_union') return [];
  if ('options' in issue && issue.options !== undefined) return issue.options.map(String);
  return issue.errors.flatMap((branch) => branch.filter((inner) => inner.path.length === 0).flatMap(namesOf));
}

/** `model.layers[2].units`; keys that are no identifiers as ["quoted"]. */
function placeOf(path: Path, where: string): string {
  let place = where === 'config' ? '' : where;
  for (const key of path) {
    if (typeof key === 'number') place += `[${key}]`;
    else if (!/^[A-Za-z_$][\w$]{0,79}$/.test(String(key))) place += `[${show(String(key)).slice(1, -1)}]`;
    else place += place === '' ? String(key) : `.${String(key)}`;
  }
  return place === '' ? where : place;
}
