/**
 * Room: local (level 6). `train()`: a whole run on this machine. The main thread loads, rings the ranks epoch by epoch, turns
 * their reports into events, and takes the weights home.
 */
import { parseRunSettings } from '../config/parse.ts';
import { metricName, rowsPerStep } from '../config/resolve.ts';
import { learntFrom, newsOf } from '../data/learnt.ts';
import { type RowFolder, withRowFolder } from '../data/row-folder.ts';
import { isLockstepError } from '../errors.ts';
import { loadLayers, loadWeights } from '../interop/files.ts';
import { sizeOf } from '../memory/shape.ts';
import { resultingWeights } from '../model/result.ts';
import { readStanding } from '../model/standing.ts';
import { resolveTopology, trainedNames } from '../model/topology.ts';
import { roomOf } from '../optimizers/room.ts';
import { checkPatterns } from '../optimizers/selection.ts';
import type { EndEvent } from '../telemetry/events.ts';
import { Checkpoints } from './checkpoints.ts';
import { follow } from './course.ts';
import { openLocalCrew } from './crew.ts';
import { extentOf } from './extent.ts';
import { freezing } from './freezing.ts';
import { checkMonitor, historyOf } from './history.ts';
import { openInputs } from './inputs.ts';
import { checkTrainOptions } from './options.ts';
import { Recordings } from './recordings.ts';
import { goOn, identityOf, type RunIdentity } from './resume.ts';
import { openRunDirectory } from './run-directory.ts';
import { Steering } from './steering.ts';
import { suitedTo } from './targets.ts';
import type { Run, TrainOptions } from './train-options.ts';
import { classWeightList } from './weights.ts';

export type { InitOptions, Run, RunControl, RunStart, TrainOptions } from './train-options.ts';

/**
 * Trains `model` on all cores and returns when the run is done. The same options, data and `shards` give the same
 * weights bit for bit, whatever the number of workers (`shards` defaults to that number: give it to compare). Errors are `LockstepError`s, all with a code.
 */
export async function train(options: TrainOptions): Promise<Run> {
  checkTrainOptions(options);
  return await withRowFolder((folder) => trainWith(options, folder));
}

async function trainWith(options: TrainOptions, folder: RowFolder): Promise<Run> {
  const {
    model,
    data,
    init,
    onStep,
    onEpoch,
    onEnd,
    onEvent,
    onStart,
    onCrew,
    signal,
    openCrew = openLocalCrew,
    record,
    gradientHistograms,
    onNews,
    checkpoints: checkpointOptions,
    fault,
    vigil,
    ...given
  } = options;
  const settings = parseRunSettings(given, 'options');
  const { seed, shuffle, onNonFinite, haltAfterSkipped, optimizer, loss } = settings;
  const metrics = settings.metrics.map(metricName);
  const batchSize = rowsPerStep(settings);
  const opened = await openInputs(data, settings, folder);
  model.build(opened.train.inputShape);
  if (typeof init === 'string') await loadWeights(model, init);
  const loaded = typeof init === 'object' ? await loadLayers(model, init.path, init) : undefined;
  const trainSource = suitedTo(opened.train, model, loss);
  const validation = opened.validation && suitedTo(opened.validation, model, loss);

  const { perEpoch, steps } = extentOf({ ...settings, batchSize }, trainSource.length);
  const names = model.topology.layers.map(({ name }) => name);
  const { config: trainedAs, freeze } = freezing(model.config, names, settings.freeze);
  checkPatterns(optimizer, trainedNames(resolveTopology(trainedAs, model.topology.inputShape)));
  const tell = onNews ?? (() => {});
  for (const sentence of newsOf(trainSource)) tell(sentence);
  const validationBatchSize = settings.validationBatchSize ?? batchSize;
  const training = { optimizer, seed, shuffle, batchSize, validationBatchSize, onNonFinite, haltAfterSkipped, ...(freeze.length > 0 && { freeze }) };
  for (const watcher of ['earlyStopping', 'reduceLROnPlateau'] as const) {
    if (settings[watcher]) checkMonitor(settings[watcher].monitor, `${watcher}.monitor`, metrics, validation !== undefined);
  }
  if (checkpointOptions?.best !== undefined) checkMonitor(checkpointOptions.best, 'options.checkpoints.best', metrics, validation !== undefined);
  const directory = checkpointOptions && (await openRunDirectory(checkpointOptions));
  if (directory) checkpointOptions?.onOpened?.(directory);
  for (const { folder, reason } of directory?.passedOver ?? []) tell(`passed over the checkpoint ${folder}: ${reason}`);
  let identity: RunIdentity | undefined;
  const crew = await openCrew({
    model,
    loss,
    ...(settings.classWeight && { classWeights: classWeightList(settings.classWeight, sizeOf(model.topology.outputShape)) }),
    // Another number of workers makes no other run of one that goes on.
    settings: { ...settings, shards: settings.shards ?? directory?.shards },
    training,
    trainedAs,
    ...(freeze.length > 0 && { freezes: true }),
    ...(directory && {
      directory,
      onStation(station) {
        identity = identityOf(station, training, settings, { train: trainSource, validation });
        if (directory.found) goOn(station, directory.found, identity, training, checkpointOptions);
      },
    }),
    ...roomOf(optimizer),
    train: trainSource,
    ...(validation && { validation }),
    ...(record && { traceSteps: record.steps }),
    ...(gradientHistograms && { gradientHistograms }),
    ...(fault && { fault }),
    ...(vigil && { vigil }),
    onNews,
  });
  const { station, workers, hosts } = crew;
  // What reports and weights are read from lasts, whatever becomes of the plan.
  const { plan, arena, kernels } = station;
  const { shards } = plan.spec;
  const recordings = new Recordings(station, record?.onRecorded);
  const weights = () => resultingWeights(plan, arena, optimizer);
  const { step: from } = readStanding(arena, plan);
  // Of a run that goes on from an earlier step than it once reached, later epochs come again.
  const told = directory?.epochs.filter(({ epoch }) => (epoch + 1) * perEpoch <= from) ?? [];
  let steering: Steering | undefined;
  let checkpoints: Checkpoints | undefined;
  let failure: unknown;
  try {
    await onCrew?.(crew);
    onStart?.({
      hosts,
      workers,
      shards,
      kernels,
      samples: trainSource.length,
      stepsPerEpoch: perEpoch,
      steps,
      from,
      epochsBefore: told.length,
      arenaBytes: plan.memory.bytes,
      ...(loaded && !directory?.found && { loaded }),
    });
    const { earlyStopping, reduceLROnPlateau } = settings;
    const control = new Steering({ signal, earlyStopping, reduceLROnPlateau, directory, told, weights, requestStop: () => crew.requestStop(), onNews: tell });
    steering = control;
    if (directory && identity)
      checkpoints = new Checkpoints({
        directory,
        options: checkpointOptions!,
        station,
        training,
        stepsPerEpoch: perEpoch,
        identity,
        onNews: tell,
        onEvent: (event) => onEvent?.(event),
      });
    const began = performance.now();
    const {
      steps: done,
      epochs,
      trainingSeconds,
      samples,
    } = await follow({
      crew,
      stepsPerEpoch: perEpoch,
      steps,
      policy: settings,
      validationRows: validation?.length ?? 0,
      isAsked: () => control.isAsked,
      rates: () => control.rates,
      checkpoints,
      told,
      onStep(event) {
        recordings.handOver();
        onStep?.(event, control);
        onEvent?.(event);
      },
      async onEpoch(event) {
        onEpoch?.(event, control);
        onEvent?.(event);
        await control.epoch(event);
      },
    });
    const seconds = (performance.now() - began) / 1000;
    model.setWeights(control.finalWeights());
    const stopped = done < steps ? control.reason : undefined;
    const interrupted = done < steps && stopped === undefined;
    const { weightsSha256 } = model;
    const samplesPerSecond = trainingSeconds > 0 ? samples / trainingSeconds : 0;
    const end: EndEvent = {
      event: 'end',
      steps: done,
      seconds,
      samplesPerSecond,
      weightsSha256,
      ...(interrupted && { interrupted: true as const }),
      ...(stopped !== undefined && { stopped }),
      ...(crew.network && { network: crew.network }),
    };
    onEnd?.(end);
    onEvent?.(end);
    const result = { model, history: historyOf(epochs), weightsSha256, steps: done, seconds, samplesPerSecond, interrupted };
    return { ...result, ...(stopped !== undefined && { stopped }), ...learntFrom(trainSource) };
  } catch (error) {
    failure = error;
    // All ranks are at rest and no skipped step left a trace: what was learnt before is worth keeping.
    if (isLockstepError(error) && error.code === 'LOCKSTEP_NON_FINITE') model.setWeights(weights());
    throw error;
  } finally {
    steering?.release();
    // Of a failure others are told before a disk that stands still may keep this process.
    if (failure === undefined) await checkpoints?.close();
    await crew.end(failure).finally(() => checkpoints?.close());
    recordings.handOver(true);
  }
}
