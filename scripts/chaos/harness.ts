/**
 * Room: scripts (level 8). Run after run of chaos until the time is over; what is wrong with one is told at once and its files stay.
 */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeRecipe } from './recipe.ts';
import { type ChaosReport, reportOf } from './report.ts';
import { type RunOutcome, runChaos } from './run.ts';
import type { Scenario } from './scenarios.ts';
import { type Lengths, planRun, stepsOf } from './schedule.ts';
import { undisturbed } from './undisturbed.ts';

export interface ChaosOrder {
  readonly seed: number;
  /** No run is begun after so many minutes. */
  readonly minutes: number;
  /** From this one on. */
  readonly firstRun: number;
  /** At most so many. */
  readonly runs: number;
  /** From which faults are drawn. */
  readonly scenarios: readonly Scenario[];
  /** Where the files of runs that went wrong stay. */
  readonly keep: string;
  readonly size: Lengths;
  readonly say: (line: string) => void;
  /** Ends it at once, and it rejects. */
  readonly signal: AbortSignal;
}

export async function chaos({ seed, minutes, firstRun, runs, scenarios, keep, size, say, signal }: ChaosOrder): Promise<ChaosReport> {
  const began = performance.now();
  const seconds = (): number => (performance.now() - began) / 1000;
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-chaos-'));
  const outcomes: RunOutcome[] = [];
  try {
    const config = writeRecipe(folder);
    const expected = await undisturbed(folder, config, stepsOf(size));
    for (let index = firstRun; index < firstRun + runs && seconds() < 60 * minutes; index++) {
      const plan = planRun(seed, index, scenarios, size);
      const own = join(folder, `run-${index}`);
      mkdirSync(own);
      const outcome = await runChaos({ plan, folder: own, config, expected, signal });
      outcomes.push(outcome);
      const happened = outcome.faults.filter((fault) => fault.happened).length;
      const cast = plan.kind === 'lone' ? 'lone' : `${plan.workers.length} hosts, ${plan.topology}`;
      say(`run ${index}: ${cast}, ${happened} of ${plan.faults.length} faults, ${outcome.seconds.toFixed(1)} s: ${outcome.verdict} ${outcome.detail}`.trimEnd());
      for (const finding of outcome.findings) say(finding);
      if (outcome.verdict !== 'same bits') {
        const kept = join(keep, `seed-${seed}-run-${index}`);
        writeFileSync(join(own, 'outcome.json'), `${JSON.stringify(outcome, undefined, 2)}\n`);
        rmSync(kept, { recursive: true, force: true });
        cpSync(own, kept, { recursive: true, verbatimSymlinks: true });
        say(`its plan and the output of all its processes are in ${kept}`);
      }
      rmSync(own, { recursive: true, force: true });
    }
    return reportOf(seed, seconds(), outcomes);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
