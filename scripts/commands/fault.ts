/**
 * Room: scripts (level 8). LOCKSTEP_FAULT: a rank of this process that fails on purpose, at a step and a phase, for `npm run chaos`. A
 * fault is no option of a run, so no flag has it and no config.
 */
import { z } from 'zod';
import { show } from '../../src/check.ts';
import { LockstepError } from '../../src/errors.ts';
import type { RankFault } from '../../src/local/task.ts';
import { phases } from '../../src/telemetry/timing.ts';

type AskedFault = RankFault & { readonly rank: number };

const count = (min: number): z.ZodNumber => z.int(`an integer >= ${min}`).min(min, `an integer >= ${min}`);
const kinds = ['throw', 'exit', 'memory', 'hang', 'block', 'kill'] as const satisfies readonly RankFault['kind'][];

const schema = z.strictObject({
  rank: count(0),
  step: count(0),
  phase: z.enum(phases, `one of ${phases.join(', ')}`),
  kind: z.enum(kinds, `one of ${kinds.join(', ')}`),
  times: count(1).optional(),
});

/** The fault that the environment asks for, if it asks for one. Throws LOCKSTEP_USAGE when nobody can tell which. */
export function askedFault(): AskedFault | undefined {
  const text = process.env['LOCKSTEP_FAULT'];
  if (text === undefined || text === '') return undefined;
  const result = schema.safeParse(fromJson(text));
  if (result.success) {
    const { times, ...fault } = result.data;
    return { ...fault, ...(times !== undefined && { times }) };
  }
  const [issue] = result.error.issues;
  const place = issue!.path.length > 0 ? `\`${issue!.path.join('.')}\` of LOCKSTEP_FAULT` : 'LOCKSTEP_FAULT';
  const rule = issue!.path.length > 0 ? issue!.message : 'a JSON object of `rank`, `step`, `phase`, `kind` and, if wanted, `times`';
  throw new LockstepError('LOCKSTEP_USAGE', `Expected ${place} to be ${rule}, got ${show(text)}; mend it or unset it.`);
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
