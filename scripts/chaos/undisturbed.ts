/**
 * Room: scripts (level 8). What comes of a run when nothing happens to it: what all runs of chaos are measured by.
 */
import { readFileSync } from 'node:fs';
import type { RunEvent } from '../../src/telemetry/events.ts';
import { Started } from './processes.ts';

/** The SHA-256 of the weights of an undisturbed run of one process. */
export async function undisturbed(folder: string, config: string, steps: number): Promise<string> {
  const run = new Started(folder, `undisturbed-${steps}`, ['train', config, '--workers', '2', '--steps', String(steps)], undefined);
  await run.ended;
  const events = run.exit?.code === 0 ? readFileSync(run.log, 'utf8').trim().split('\n') : [];
  const end = events.map((line) => JSON.parse(line) as RunEvent).at(-1);
  if (end?.event === 'end' && end.steps === steps) return end.weightsSha256;
  throw new Error(`Expected the undisturbed run to end with its weights, but it ended with ${run.exit?.code ?? run.exit?.signal}; see its output in ${folder}.`);
}
