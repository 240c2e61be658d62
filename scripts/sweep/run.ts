/**
 * Room: scripts (level 8). One variant of a sweep: a run as `lockstep train` does it, and the row and the curves that it comes to.
 */
import type { RunConfig } from '../../src/config/run.ts';
import { isLockstepError } from '../../src/errors.ts';
import { EarlyStopping } from '../../src/local/early-stopping.ts';
import { train } from '../../src/local/train.ts';
import { Model } from '../../src/model/model.ts';
import type { EpochEvent, StepEvent } from '../../src/telemetry/events.ts';
import { EventLog } from '../../src/telemetry/jsonl.ts';
import { named, type Output, Progress } from '../../src/telemetry/progress.ts';
import { GrowingCurves, type RunCurves } from '../plot/curves.ts';
import { endOf, type Row } from './rows.ts';
import type { Variant } from './vary.ts';

export interface VariantRun {
  readonly variant: Variant;
  readonly config: RunConfig;
  /** Among the others: `2 of 3`. */
  readonly place: string;
  readonly signal: AbortSignal;
  readonly output: Output;
  /** Where its log goes. */
  readonly log: string | undefined;
  /** Told how a line is said while the run's live line is there. */
  readonly onSay: (say: (line: string) => void) => void;
}

/** A run that its policy ends for numbers that are not finite has a row like any other; all else that ends a run is thrown. */
export async function runVariant({ variant, config, place, signal, output, log: path, onSay }: VariantRun): Promise<{ row: Row; curves: RunCurves }> {
  const { model, data, ...settings } = config;
  const curves = new GrowingCurves(variant.label);
  // It judges as that of the run does, and keeps the numbers of the epoch whose weights that one keeps.
  const early = settings.earlyStopping && new EarlyStopping<EpochEvent>(settings.earlyStopping);
  let [progress, log] = [undefined as Progress | undefined, undefined as EventLog | undefined];
  let [epoch, last] = [undefined as EpochEvent | undefined, undefined as StepEvent | undefined];
  let skipped = 0;
  let began = performance.now();
  const say = (line: string): void => (progress ? progress.line(line) : void output.write(`${line}\n`));
  const tell = ({ message }: Error): void => void process.stderr.write(`lockstep: ${message}\n`);
  onSay(say);

  async function rowOf(): Promise<Row> {
    try {
      const run = await train({
        ...settings,
        model: new Model(model),
        data,
        signal,
        onNews: say,
        onStart({ workers, shards, kernels, steps, stepsPerEpoch }) {
          output.write(`${place}: ${variant.name} (${workers} workers, ${shards} shards, kernels ${kernels.set})\n`);
          // Opening it empties an old one.
          if (path !== undefined) log = new EventLog(path, tell);
          progress = new Progress(output, { steps, stepsPerEpoch });
          began = performance.now();
        },
        onStep(event) {
          last = event;
          skipped += event.skipped ? 1 : 0;
          progress?.step(event);
        },
        onEpoch(event) {
          epoch = event;
          early?.epoch(event, () => event);
        },
        onEvent(event) {
          log?.write(event);
          curves.take(event);
        },
      });
      const { steps, seconds, samplesPerSecond, weightsSha256, interrupted, stopped } = run;
      const end = interrupted ? 'interrupted' : stopped === undefined ? 'done' : 'stopped';
      const told = early?.kept ?? epoch;
      return { variant, end, ...(stopped !== undefined && { reason: stopped }), ...(told && { epoch: told }), steps, skipped, seconds, samplesPerSecond, weightsSha256 };
    } catch (error) {
      if (!isLockstepError(error) || error.code !== 'LOCKSTEP_NON_FINITE') throw error;
      const seconds = (performance.now() - began) / 1000;
      return { variant, end: 'nonFinite', reason: placeOf(last!), ...(epoch && { epoch }), steps: last!.step, skipped, seconds };
    } finally {
      log?.close();
    }
  }

  const row = await rowOf();
  const { loss, metrics, validation } = row.epoch ?? {};
  const numbers = loss === undefined ? [] : [`loss ${loss.toPrecision(4)}`, ...named(metrics ?? {})];
  if (validation) numbers.push(`val_loss ${validation.loss.toPrecision(4)}`, ...named(validation.metrics, 'val_'));
  say([endOf(row), ...numbers].join('  '));
  if (log && log.lost > 0) say(`log ${path}: ${log.lost.toLocaleString('en-US')} of ${log.lines.toLocaleString('en-US')} lines lost`);
  return { row, curves };
}

function placeOf({ step, skipped }: StepEvent): string {
  return `at step ${step} in phase ${skipped!.phase}${skipped!.layer === undefined ? '' : ` of \`${skipped!.layer}\``}`;
}
