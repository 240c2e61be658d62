/**
 * Room: local (level 6). `evaluate()`: loss and metrics of a trained model over a data set, on all ranks, with moving
 * statistics.
 */
import { parseEvaluationSettings } from '../config/parse.ts';
import type { EvaluationSettingsInput } from '../config/run.ts';
import type { Learnt } from '../data/learnt.ts';
import { type RowFolder, withRowFolder } from '../data/row-folder.ts';
import type { KernelSelection } from '../kernels/select.ts';
import { penaltyOf } from '../layers/penalties.ts';
import { matrixIn, metricValues } from '../metrics/measures.ts';
import { wholeWeight } from '../model/data-place.ts';
import type { Model } from '../model/model.ts';
import type { Evaluation } from '../telemetry/events.ts';
import { meanLoss } from './history.ts';
import { type DataInput, openAlone } from './inputs.ts';
import { checkEvaluateOptions } from './options.ts';
import { Recovery } from './recovery.ts';
import { noTraining, openStation } from './session.ts';
import type { Station } from './station.ts';
import { suitedTo } from './targets.ts';
import type { TeamOptions } from './team.ts';

export interface EvaluateOptions extends EvaluationSettingsInput {
  /** Must have weights. */
  readonly model: Model;
  readonly data: DataInput;
  /** What the training data taught, as the run of `train()` has it: rows get the same done to them. */
  readonly learnt?: Learnt | undefined;
  /** True to count the rows of each class by the class that is predicted. */
  readonly confusionMatrix?: boolean | undefined;
  readonly onKernels?: ((selection: KernelSelection) => void) | undefined;
  /** Told what befell ranks and what was done about it, a sentence each. */
  readonly onNews?: ((sentence: string) => void) | undefined;
  /** Makes a rank fail on purpose, for tests of recovery. */
  readonly fault?: TeamOptions['fault'];
}

export interface EvaluationRun extends Evaluation {
  readonly samples: number;
  readonly seconds: number;
  /** `matrix[class][predicted class]`, rows counted; present when it was asked for. */
  readonly confusionMatrix?: readonly (readonly number[])[];
}

/** The same numbers, bit for bit, for any number of workers at the same `shards` and `batchSize`. */
export async function evaluate(options: EvaluateOptions): Promise<EvaluationRun> {
  checkEvaluateOptions(options);
  return await withRowFolder((folder) => evaluateWith(options, folder));
}

async function evaluateWith(options: EvaluateOptions, folder: RowFolder): Promise<EvaluationRun> {
  const { model, data, learnt, confusionMatrix, onKernels, onNews = () => {}, fault, ...given } = options;
  const settings = parseEvaluationSettings(given, 'options');
  const { loss, batchSize } = settings;
  const opened = await openAlone(data, learnt, folder);
  model.build(opened.inputShape);
  const source = suitedTo(opened, model, loss);
  const station = openStation({
    model,
    loss,
    settings: { ...settings, metrics: [...settings.metrics, ...(confusionMatrix ? [{ type: 'confusionMatrix' } as const] : [])] },
    training: { ...noTraining, batchSize, validationBatchSize: batchSize },
    optimizerSlots: 0,
    validation: source,
    onKernels,
    ...(fault && { fault }),
  });
  try {
    station.begin();
    const began = performance.now();
    await new Recovery(station, onNews).compute('evaluate');
    const sums = readLossSums(station);
    const seconds = (performance.now() - began) / 1000;
    const matrix = confusionMatrix && matrixIn(station.plan.measures, sums);
    return { ...evaluationOf(station, sums), samples: source.length, seconds, ...(matrix && { confusionMatrix: matrix }) };
  } finally {
    await station.end();
  }
}

/** What an evaluation comes to, summed over the rows: the numbers of the plan's measures. */
export type LossSums = readonly number[];

/** Of the ranks' last evaluation. */
export function readLossSums({ plan, arena: { f64 } }: Station): LossSums {
  const sums = plan.ranks[0]!.lossSums.result >>> 3;
  return Array.from(f64.subarray(sums, sums + plan.measures.length));
}

/** All penalties on weights, which are part of a loss wherever it is told. */
function penaltiesOf({ topology, weights }: Station['plan'], { f32 }: Station['arena']): number {
  return topology.weights.reduce((sum, { definition: { penalty }, size }, i) => sum + (penalty ? penaltyOf(f32, weights[i]! >>> 2, size, penalty) : 0), 0);
}

/** Means over the rows of the validation data, under the names of metrics. */
export function evaluationOf({ plan, arena }: Station, sums: LossSums): Evaluation {
  const { validation, measures } = plan;
  return { loss: meanLoss(sums[0]!, wholeWeight(arena, validation!)) + penaltiesOf(plan, arena), metrics: metricValues(measures, sums, validation!.spec.length) };
}
