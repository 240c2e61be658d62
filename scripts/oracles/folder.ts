/**
 * Room: scripts (level 8). A folder of reference cases: which file is of which kind, and all settings it runs in.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { LockstepError } from '../../src/errors.ts';
import { loadBlas } from '../../src/kernels/blas.ts';
import type { Check } from './compare.ts';
import { activations, batchNormalization, dense, layerNormalization, type Setting } from './layers.ts';
import { run } from './runs.ts';
import { clipping, losses, optimizerSteps } from './training.ts';

/** Checks one case; undefined when it needs something that Lockstep does not have yet. */
type Judge = (value: unknown, setting: Setting, path: string) => Check[] | undefined | Promise<Check[] | undefined>;

/** Kinds of files by name; `undefined` are known kinds that nothing supports yet. */
const judges = new Map<string, Judge | undefined>([
  ['activations', activations],
  ['dense', dense],
  ['batch-normalization', batchNormalization],
  ['losses', losses],
  ['clipping', clipping],
  ['optimizers', optimizerSteps],
  ['layer-normalization', layerNormalization],
  ['conv2d', undefined],
  ['pooling', undefined],
  ['recurrent', undefined],
]);

interface CaseFile {
  readonly name: string;
  readonly path: string;
  readonly judge: Judge | undefined;
}

/** All case files of a folder. Throws LOCKSTEP_DATA for a file of unknown kind, LOCKSTEP_FILE for a missing folder. */
function caseFiles(folder: string): CaseFile[] {
  let names: string[];
  try {
    names = readdirSync(folder).sort();
  } catch (cause) {
    throw new LockstepError('LOCKSTEP_FILE', `Expected a folder of reference cases at \`${folder}\`, but it cannot be read; check the path.`, { cause });
  }
  return names.flatMap((file): CaseFile[] => {
    const name = file.replace(/\.json$/, '');
    const isRun = /^run-.+/.test(name);
    const path = join(folder, file);
    if (file.endsWith('.json') && isRun) return [{ name, path, judge: run }];
    if (file.endsWith('.json') && judges.has(name)) return [{ name, path, judge: judges.get(name) }];
    const owner = file.replace(/\.(init|final)\.safetensors$/, '.json');
    if (owner !== file && /^run-/.test(owner) && names.includes(owner)) return [];
    throw new LockstepError(
      'LOCKSTEP_DATA',
      `Expected only known reference cases in \`${folder}\`, got \`${file}\`; known are ${[...judges.keys()].join(', ')} and run-*.`,
    );
  });
}

/** Runs everything; `say` gets a line for each case. Returns how many checks there were and how many were over tolerance. */
export async function runFolder(folder: string, say: (line: string) => void): Promise<{ lines: number; failed: number }> {
  const sets = loadBlas().ok ? (['wasm', 'blas'] as const) : (['wasm'] as const);
  if (sets.length === 1) say('no BLAS on this machine: only wasm is checked');
  const settings = sets.flatMap((kernels) => [1, 2, 3].map((workers): Setting => ({ kernels, workers })));
  let [lines, failed] = [0, 0];
  for (const { name, path, judge } of caseFiles(folder)) {
    const content: unknown = JSON.parse(readFileSync(path, 'utf8'));
    for (const [index, value] of (Array.isArray(content) ? content : [content]).entries()) {
      const unsupported = `${name}[${index}]: not yet supported (${describe(value)})`;
      if (!judge) {
        say(unsupported);
        continue;
      }
      const worst = new Map<string, Check & { readonly where: string }>();
      for (const setting of settings) {
        for (const check of (await judged(judge, value, setting, path, index)) ?? []) {
          lines++;
          if (!(check.error <= check.tolerance)) failed++;
          const before = worst.get(check.name);
          if (!before || check.error > before.error) worst.set(check.name, { ...check, where: `${setting.kernels}, ${setting.workers} workers` });
        }
      }
      if (worst.size === 0) say(unsupported);
      for (const { name: what, error, tolerance, where } of worst.values()) {
        const verdict = error <= tolerance ? 'ok  ' : 'FAIL';
        say(`${verdict} ${name}[${index}] ${what}: largest error ${error.toExponential(1)} of ${tolerance.toExponential(0)} (${where})`);
      }
    }
  }
  return { lines, failed };
}

/** Throws LOCKSTEP_DATA, with the file and the case, when the case is not what its kind of file holds. */
async function judged(judge: Judge, value: unknown, setting: Setting, path: string, index: number): Promise<Check[] | undefined> {
  try {
    return await judge(value, setting, path);
  } catch (cause) {
    if (!(cause instanceof z.ZodError)) throw cause;
    const [issue] = cause.issues;
    const place = issue?.path.join('.') || 'the case itself';
    throw new LockstepError(
      'LOCKSTEP_DATA',
      `Expected case ${index} of \`${path}\` to be a reference case of its kind, but ${place} is not (${issue?.message}); mend the file.`,
      { cause },
    );
  }
}

/** What a case is about, in a few words. */
function describe(value: unknown): string {
  const entries = Object.entries(value as Record<string, unknown>).filter(([, field]) => typeof field === 'string');
  return (
    entries
      .map(([, field]) => field)
      .join(' ')
      .slice(0, 60) || 'a layer of its file'
  );
}
