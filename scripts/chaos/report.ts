/**
 * Room: scripts (level 8). What came of all runs: how many ended how, faults by scenario and by phase, and how long each held the run up. One
 * object for whoever reads JSON, one text for whoever reads a terminal.
 */
import type { RunOutcome, Verdict } from './run.ts';

interface Row {
  readonly scenario: string;
  /** Where in a step; absent for faults from outside. */
  readonly phase?: string;
  /** Those that came about. */
  readonly faults: number;
  /** Planned, but their process was not there at that step, or the run was over. */
  readonly missed: number;
  /** Longest time without a committed step after the fault, ms; of runs that go on with those who are left. */
  readonly gapMs?: { readonly median: number; readonly most: number };
}

export interface ChaosReport {
  readonly seed: number;
  readonly seconds: number;
  readonly runs: number;
  readonly verdicts: Readonly<Record<Verdict, number>>;
  readonly faults: number;
  readonly rows: readonly Row[];
  /** Processes that were killed with kill -9, by where they were: a phase of a step, writing a checkpoint, or anywhere. */
  readonly kills: Readonly<Record<string, number>>;
  /** Runs that did not end with the same bits, by which they can be had again. */
  readonly wrong: readonly { readonly run: number; readonly verdict: Verdict; readonly detail: string }[];
}

export function reportOf(seed: number, seconds: number, outcomes: readonly RunOutcome[]): ChaosReport {
  const verdicts: Record<Verdict, number> = { 'same bits': 0, 'wrong bits': 0, hang: 0, failed: 0 };
  for (const { verdict } of outcomes) verdicts[verdict]++;
  const groups = new Map<string, { readonly scenario: string; readonly phase: string | undefined; faults: number; missed: number; readonly gaps: number[] }>();
  for (const { plan, faults } of outcomes) {
    for (const { fault, happened, gapMs } of faults) {
      const { scenario } = fault;
      const phase = fault.place === 'inside' ? fault.phase : undefined;
      const key = `${scenario} ${phase ?? ''}`;
      const group = groups.get(key) ?? { scenario, phase, faults: 0, missed: 0, gaps: [] };
      groups.set(key, group);
      if (!happened) group.missed++;
      else {
        group.faults++;
        if (plan.minHosts === 1 && gapMs !== undefined && gapMs > 0) group.gaps.push(gapMs);
      }
    }
  }
  const rows = [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { scenario, phase, faults, missed, gaps }]): Row => {
      const sorted = gaps.toSorted((a, b) => a - b);
      const gapMs = sorted.length > 0 && { median: Math.round(sorted[sorted.length >> 1]!), most: Math.round(sorted.at(-1)!) };
      return { scenario, ...(phase !== undefined && { phase }), faults, missed, ...(gapMs && { gapMs }) };
    });
  const kills: Record<string, number> = {};
  for (const { fault, happened } of outcomes.flatMap(({ faults }) => faults)) {
    if (!happened || (fault.kind !== 'kill' && fault.kind !== 'writing')) continue;
    const where = fault.kind === 'writing' ? 'checkpoint write' : fault.place === 'inside' ? fault.phase : 'anywhere';
    kills[where] = (kills[where] ?? 0) + 1;
  }
  return {
    seed,
    seconds: Math.round(seconds),
    runs: outcomes.length,
    verdicts,
    faults: rows.reduce((sum, row) => sum + row.faults, 0),
    rows,
    kills,
    wrong: outcomes.flatMap(({ plan, verdict, detail }) => (verdict === 'same bits' ? [] : [{ run: plan.index, verdict, detail }])),
  };
}

export function reportText({ seed, seconds, runs, verdicts, faults, rows, kills, wrong }: ChaosReport): string {
  const header = ['fault', 'phase', 'times', 'missed', 'longest gap between steps, ms: median', 'most'];
  const cells = rows.map(({ scenario, phase = '', faults, missed, gapMs }) => [
    scenario,
    phase,
    `${faults}`,
    `${missed}`,
    `${gapMs?.median ?? ''}`,
    `${gapMs?.most ?? ''}`,
  ]);
  const widths = header.map((name, column) => Math.max(name.length, ...cells.map((row) => row[column]!.length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => (column < 2 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('  ')
      .trimEnd();
  const ended = Object.entries(verdicts).map(([verdict, count]) => `${count} ${verdict}`);
  const killed = Object.entries(kills).map(([where, count]) => `${where} ${count}`);
  const again = wrong.map(({ run, verdict, detail }) => `run ${run}: ${verdict}: ${detail}; again: npm run chaos -- --seed ${seed} --run ${run}`);
  return [
    line(header),
    ...cells.map(line),
    `kill -9 of a process: ${killed.join(', ') || 'none'}`,
    `${runs} runs in ${seconds} s with ${faults} faults: ${ended.join(', ')}`,
    ...again,
  ].join('\n');
}
