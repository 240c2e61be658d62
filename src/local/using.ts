/**
 * Room: local (level 6). A trained model put to use on all ranks, over all rows of a data set: what predictions and the recalibration of statistics have in common.
 * Labels are not looked at; there need not be any.
 */
import { availableParallelism } from 'node:os';
import { parsePredictionSettings } from '../config/parse.ts';
import type { PredictionSettingsInput } from '../config/run.ts';
import type { ArrayData } from '../data/arrays.ts';
import type { Learnt } from '../data/learnt.ts';
import { type RowFolder, withRowFolder } from '../data/row-folder.ts';
import type { DataSource } from '../data/source.ts';
import { LockstepError } from '../errors.ts';
import { type KernelSelection, selectKernels } from '../kernels/select.ts';
import { formatShape, sameShape, sizeOf } from '../memory/shape.ts';
import type { Model } from '../model/model.ts';
import { storeWeights } from '../model/weights.ts';
import { type DataInput, openAlone } from './inputs.ts';
import { checkPredictOptions } from './options.ts';
import { Recovery } from './recovery.ts';
import { dataSpec, noTraining, storeData } from './session.ts';
import { Station } from './station.ts';
import type { TeamOptions } from './team.ts';

/** Rows in memory without labels. */
export type RowsData = Pick<ArrayData, 'x' | 'inputShape' | 'scale' | 'name'>;

export interface UseOptions extends PredictionSettingsInput {
  /** Must have weights. */
  readonly model: Model;
  readonly data: DataInput | RowsData;
  /** What the training data taught, as the run of `train()` has it: rows get the same done to them. */
  readonly learnt?: Learnt | undefined;
  readonly onKernels?: ((selection: KernelSelection) => void) | undefined;
  /** Told what befell ranks and what was done about it, a sentence each. */
  readonly onNews?: ((sentence: string) => void) | undefined;
  /** Makes a rank fail on purpose, for tests of recovery. */
  readonly fault?: TeamOptions['fault'];
}

/** Computes `kind` over the data, then reads what came of it. Throws LOCKSTEP_SHAPE when the rows are not what the model takes, and what opening data throws. */
export async function useModel<T>(options: UseOptions, kind: 'predict' | 'recalibrate', read: (station: Station, source: DataSource) => T): Promise<T> {
  checkPredictOptions(options);
  return await withRowFolder(async (folder) => {
    const { station, source } = await openStation(options, kind === 'predict', folder);
    try {
      station.begin();
      await new Recovery(station, options.onNews ?? (() => {})).compute(kind);
      return read(station, source);
    } finally {
      await station.end();
    }
  });
}

async function openStation(options: UseOptions, predictions: boolean, folder: RowFolder): Promise<{ readonly station: Station; readonly source: DataSource }> {
  const { model, data, learnt, onKernels, onNews: _, fault, ...given } = options;
  const { batchSize, shards, workers, kernels } = parsePredictionSettings(given, 'options');
  const source = withoutLabels(await openAlone(withLabels(data), learnt, folder));
  const weights = model.getWeights();
  const { inputShape } = model.topology;
  if (!sameShape(source.inputShape, inputShape)) {
    throw new LockstepError(
      'LOCKSTEP_SHAPE',
      `Expected rows of the shape that the model has weights for, ${formatShape(inputShape)}, got ${formatShape(source.inputShape)}; give rows like those it was trained on.`,
    );
  }
  const ranks = workers ?? Math.min(availableParallelism(), batchSize, shards ?? Number.POSITIVE_INFINITY);
  const selected = selectKernels(kernels);
  onKernels?.(selected);
  const station = new Station({
    spec: {
      model: model.config,
      inputShape,
      // Never computed; one that leaves the model's last activation where it is.
      loss: 'meanSquaredError',
      shards: shards ?? ranks,
      ranks,
      batchRows: Math.min(batchSize, source.length),
      optimizerSlots: 0,
      validation: dataSpec(source),
      ...(predictions && { predictions }),
    },
    training: { ...noTraining, batchSize, validationBatchSize: batchSize },
    kernels: selected,
    rowFiles: { validation: source.rowFile },
    ...(fault && { fault }),
  });
  const { plan, arena } = station;
  storeWeights(weights, plan, arena);
  storeData(source, plan.validation!, arena);
  return { station, source };
}

function withLabels(data: DataInput | RowsData): DataInput {
  if (!('x' in data) || 'y' in data) return data;
  const { x, inputShape } = data;
  const rows = ArrayBuffer.isView(x) ? Math.floor(x.length / sizeOf(inputShape ?? [])) : x.length;
  return { ...data, y: new Int32Array(rows) };
}

/** The same rows, each of class 0: predictions ask for no label. */
function withoutLabels(source: DataSource): DataSource {
  const { name, length, inputShape, inputType, scale } = source;
  return {
    name,
    length,
    inputShape,
    inputType,
    scale,
    labels: { kind: 'class', values: new Int32Array(length) },
    readRows: (indices, into) => source.readRows(indices, into),
    readAll: (into) => source.readAll(into),
    rowFile: source.rowFile,
  };
}
