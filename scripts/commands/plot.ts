/**
 * Room: scripts (level 8). `lockstep plot RUN.jsonl...`: the curves of runs over each other, as an SVG, or the loss in the terminal.
 */
import { writeFileSync } from 'node:fs';
import { Command } from 'commander';
import { LockstepError } from '../../src/errors.ts';
import { gradientNorm, learningRate, type RunCurves, readCurves, thinnedRun } from '../plot/curves.ts';
import { type Panel, strokeOf, svgOf } from '../plot/svg.ts';
import { terminalPlot } from '../plot/terminal.ts';

/** More points than this of a curve are more than pixels. */
export const mostPoints = 1000;

export function plotCommand(): Command {
  return new Command('plot')
    .description('plot the loss, metrics, gradient norm and learning rate of runs over each other')
    .argument('<log...>', 'logs of runs (train --log)')
    .option('--out <file>', 'where the plot goes (SVG); without it the loss is plotted in the terminal')
    .action(runPlot);
}

function runPlot(paths: string[], { out }: { readonly out?: string }): void {
  const runs = readCurves(paths).map((run) => thinnedRun(run, mostPoints));
  if (out === undefined) {
    const curves = runs.map(({ training }) => training.get('loss')!);
    process.stdout.write(`loss by step, ${runs.map(({ name }) => name).join(', ')}\n${terminalPlot(curves, Math.min(100, process.stdout.columns || 80), 16)}\n`);
    return;
  }
  writePlot(out, runs);
  process.stdout.write(`wrote ${out}\n`);
}

/** Draws runs over each other, in the colours of the legend, into a file. */
export function writePlot(path: string, runs: readonly RunCurves[]): void {
  writeSvg(path, plotOf(runs));
}

/** The same as text. */
export function plotOf(runs: readonly RunCurves[]): string {
  const legend = runs.map(({ name }, i) => ({ text: name, ...strokeOf(i) }));
  const isValidated = runs.some(({ validation }) => validation.size > 0);
  return svgOf(panelsOf(runs), legend, isValidated ? 'thin: steps of training; thick with dots: validation at the end of an epoch' : '');
}

export function writeSvg(path: string, svg: string): void {
  try {
    writeFileSync(path, svg);
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    throw new LockstepError(
      'LOCKSTEP_FILE',
      `Expected to write the plot \`${path}\`, but the system refused (${code}); check that its folder exists and can be written.`,
      {
        cause,
      },
    );
  }
}

/** Loss, the metrics, gradient norm, learning rate: whatever a run has. */
function panelsOf(runs: readonly RunCurves[]): Panel[] {
  const names = new Set(runs.flatMap(({ training, validation }) => [...training.keys(), ...validation.keys()]));
  const last = [gradientNorm, learningRate].filter((name) => names.has(name));
  const first = [...names].filter((name) => !last.includes(name));
  return [...first, ...last].map((title) => ({
    title,
    xTitle: 'step',
    curves: [
      ...runs.map(({ training }, i) => ({ points: training.get(title) ?? [], ...strokeOf(i) })),
      ...runs.map(({ validation }, i) => ({ points: validation.get(title) ?? [], ...strokeOf(i), marked: true })),
    ].filter(({ points }) => points.length > 0),
  }));
}
