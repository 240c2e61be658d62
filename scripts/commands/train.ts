/**
 * Room: scripts (level 8). `lockstep train CONFIG`: trains on all cores of this machine.
 */
import { hostname } from 'node:os';
import { Command } from 'commander';
import { checkWritable } from '../../src/checkpoint/safetensors.ts';
import { LockstepError } from '../../src/errors.ts';
import { checkOwnFormat } from '../../src/interop/files.ts';
import { Board } from '../../src/local/board.ts';
import type { Monitor } from '../../src/local/monitor.ts';
import { train } from '../../src/local/train.ts';
import { Model } from '../../src/model/model.ts';
import { checkLog, EventLog } from '../../src/telemetry/jsonl.ts';
import { duration, type Output, Progress } from '../../src/telemetry/progress.ts';
import { type CheckpointFlags, checkpointOptions, checkpointsWith } from './checkpointing.ts';
import { type ClusterFlags, clusterOptions, serveWith } from './cluster-options.ts';
import { askedFault } from './fault.ts';
import { type InitFlags, initOptions, initWith, loadedTable } from './first-weights.ts';
import { interruption } from './interruption.ts';
import { linger, lingerFailed, type MonitorFlags, monitorOptions, openMonitor, runName, watchedRun } from './monitoring.ts';
import { configWith, epochsOption, kernelsOption, seedOption, shardsOption, stepsOption, trainWorkersOption } from './options.ts';
import { checkTrace, saveTrace, type TraceFlags, traceOptions } from './tracing.ts';

interface TrainFlags extends CheckpointFlags, ClusterFlags, InitFlags, MonitorFlags, TraceFlags {
  readonly workers?: number;
  readonly shards?: number;
  readonly kernels?: 'auto' | 'wasm' | 'blas';
  readonly steps?: number;
  readonly epochs?: number;
  readonly seed?: number;
  readonly save?: string;
  readonly log?: string;
  readonly tensorboard?: string;
  readonly quiet?: boolean;
}

/** `unheard` is aborted when whoever reads our output has gone away: the run then ends as for a signal. */
export function trainCommand(unheard: AbortSignal): Command {
  const command = new Command('train')
    .description('train the model of a config file on all cores')
    .argument('<config>', 'the config file (JSON)')
    .addOption(trainWorkersOption())
    .addOption(shardsOption())
    .addOption(kernelsOption())
    .addOption(stepsOption())
    .addOption(epochsOption())
    .addOption(seedOption())
    .option('--save <file>', 'where to write the trained weights (safetensors)')
    .option('--log <file>', 'write every step, epoch, checkpoint and the end as JSON lines')
    .option('--tensorboard <dir>', 'write scalars and histograms of gradients as events for TensorBoard')
    .option('--quiet', 'print nothing but errors')
    .action((path: string, flags: TrainFlags) => runTrain(path, flags, unheard));
  for (const option of [...initOptions(), ...checkpointOptions(), ...traceOptions(), ...monitorOptions(), ...clusterOptions()]) command.addOption(option);
  return command;
}

async function runTrain(path: string, flags: TrainFlags, unheard: AbortSignal): Promise<void> {
  const coordinates = flags.listen !== undefined;
  checkWorkers(flags);
  const fault = askedFault();
  // How many workers this process has is its own affair where others take part.
  const { model: modelConfig, data, ...settings } = configWith(path, coordinates ? { ...flags, workers: undefined } : flags);
  const { validationSplit, stratify, seed } = settings;
  const model = new Model(modelConfig);
  const output: Output = {
    write: (text) => void (flags.quiet || process.stdout.write(text)),
    columns: process.stdout.isTTY ? process.stdout.columns || 80 : undefined,
  };
  /** Before a line on standard error: the live line gives way where both are on a terminal. */
  const clearLine = process.stdout.isTTY && process.stderr.isTTY && !flags.quiet ? '\r\x1b[K' : '';
  if (flags.save !== undefined) {
    checkOwnFormat(flags.save);
    checkWritable(flags.save);
  }
  if (flags.log !== undefined) checkLog(flags.log);
  checkTrace(flags);
  const init = initWith(flags);
  const tell = ({ message }: Error): void => void process.stderr.write(`${clearLine}lockstep: ${message}\n`);
  let progress: Progress | undefined;
  let skipped = 0;
  let log: EventLog | undefined;
  const { signal, rest, release } = interruption((text) => progress?.line(text));
  const ends = AbortSignal.any([signal, unheard]);
  const news = (text: string): void => (progress ? progress.line(text) : void output.write(`${text}\n`));
  let runId = runName(path, new Date());
  const checkpoints = checkpointsWith(flags, runId, (directory) => {
    runId = directory.runId;
  });
  const openCrew = coordinates
    ? serveWith({ ...flags, runId, workers: flags.workers ?? settings.workers }, { ...data, validationSplit, stratify, seed }, ends, news)
    : undefined;
  let monitor: Monitor | undefined;
  let board: Board | undefined;
  try {
    const run = await train({
      model,
      data,
      ...settings,
      init,
      signal: ends,
      checkpoints,
      onNews: news,
      ...(fault && { fault }),
      ...(openCrew && { openCrew }),
      // Not before all else is checked: who mistypes a path is not told of a page.
      ...(flags.trace !== undefined && { record: { steps: flags.traceSteps, onRecorded: (recordings) => saveTrace(flags, 0, hostname(), recordings, tell) } }),
      gradientHistograms: flags.tensorboard !== undefined,
      onCrew: async (crew) => {
        if (flags.tensorboard !== undefined) board = new Board({ folder: flags.tensorboard, tell }, crew.station);
        monitor = await openMonitor(flags, () => ({ run: runId, host: hostname() }), news);
        monitor?.watch({ snapshot: () => crew.snapshot?.(), cluster: () => crew.cluster?.(), observe: () => crew.station.team.observe() });
      },
      onStart(start) {
        const { hosts, workers, shards, kernels, samples, steps, stepsPerEpoch, from, epochsBefore, loaded } = start;
        monitor?.begin(watchedRun(runId, model, settings, start, coordinates ? (flags.topology ?? 'mesh') : 'none', checkpoints !== undefined));
        // Not before all else is checked: opening the log empties the old one.
        if (flags.log !== undefined) log = new EventLog(flags.log, tell, flags.resume ? { steps: from, epochs: epochsBefore } : undefined);
        if (from > 0) news(`goes on after step ${from}`);
        output.write(
          `${model.countParams().total.toLocaleString('en-US')} parameters, ${samples.toLocaleString('en-US')} samples, ${hosts > 1 ? `${hosts} hosts, ` : ''}${workers} workers, ${shards} shards\n`,
        );
        if (workers > shards) output.write(`${workers - shards} workers have no shard to compute and only cost time; use fewer, or more shards\n`);
        output.write(`kernels ${kernels.reason}\n`);
        if (loaded) output.write(loadedTable(loaded));
        progress = new Progress(output, { steps, stepsPerEpoch });
      },
      onStep: (event) => {
        skipped += event.skipped ? 1 : 0;
        progress?.step(event);
      },
      onEpoch: (event) => progress?.epoch(event),
      onEvent: (event) => {
        log?.write(event);
        monitor?.take(event);
        board?.take(event);
      },
    });
    rest();
    if (flags.save !== undefined) await model.save(flags.save);
    log?.close();
    const rate = Math.round(run.samplesPerSecond).toLocaleString('en-US');
    progress?.line(
      `${run.interrupted ? 'interrupted' : run.stopped === undefined ? 'done' : 'stopped'}: ${run.steps} steps${skipped > 0 ? `, ${skipped} of them skipped,` : ''} in ${duration(run.seconds)}, ${rate} samples/s`,
    );
    if (run.stopped !== undefined) progress?.line(run.stopped);
    progress?.line(`weights ${run.weightsSha256}${flags.save === undefined ? '' : ` saved to ${flags.save}`}`);
    await monitor?.end('done');
    if (log && log.lost > 0) progress?.line(`log ${flags.log}: ${log.lost.toLocaleString('en-US')} of ${log.lines.toLocaleString('en-US')} lines lost`);
    const written = await board?.close();
    if (written && written.lost > 0) progress?.line(`tensorboard ${flags.tensorboard}: ${written.lost} of ${written.records} records lost`);
    await linger(monitor, flags.linger, ends, news);
  } catch (error) {
    rest();
    log?.close();
    await board?.close();
    await lingerFailed(monitor, error, flags.linger, ends, news);
    throw error;
  } finally {
    release();
    log?.close();
    await board?.close();
    await monitor?.close();
  }
}

/** A process without workers can only coordinate. */
function checkWorkers({ workers, listen }: TrainFlags): void {
  if (workers !== 0 || listen !== undefined) return;
  throw new LockstepError('LOCKSTEP_USAGE', 'Expected `--workers` to be an integer >= 1, got `0`; only a coordinator (--listen) may have none.');
}
