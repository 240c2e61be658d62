/**
 * Room: local (level 6). `evaluate()`: loss and metrics of a trained model over a data set, on all ranks, with moving
 * statistics.
 */
import { parseEvaluationSettings } from '../config/parse.ts';
import type { EvaluationSettingsInput } from '../config/run.ts';
import type { Learnt } from '../data/learnt.ts';
import type { KernelSelection } from '../kernels/select.ts';
import type { Model } from '../model/model.ts';
import type { Evaluation } from '../telemetry/events.ts';
import { type DataInput, openAlone } from './inputs.ts';
import { checkEvaluateOptions } from './options.ts';
import { noTraining, obeyWholly, openStation } from './session.ts';
import type { Station } from './station.ts';
import { suitedTo } from './targets.ts';

export interface EvaluateOptions extends EvaluationSettingsInput {
  /** Must have weights. */
  readonly model: Model;
  readonly data: DataInput;
  /** What the training data taught, as the run of `train()` has it: rows get the same done to them. */
  readonly learnt?: Learnt | undefined;
  readonly onKernels?: ((selection: KernelSelection) => void) | undefined;
}

export interface EvaluationRun extends Evaluation {
  readonly samples: number;
  readonly seconds: number;
}

/** The same numbers, bit for bit, for any number of workers at the same `shards` and `batchSize`. */
export async function evaluate(options: EvaluateOptions): Promise<EvaluationRun> {
  checkEvaluateOptions(options);
  const { model, data, learnt, onKernels, ...given } = options;
  const settings = parseEvaluationSettings(given, 'options');
  const { loss, metrics, batchSize } = settings;
  const opened = await openAlone(data, learnt);
  model.build(opened.inputShape);
  const source = suitedTo(opened, model, loss);
  const station = openStation({
    model,
    loss,
    settings,
    training: { ...noTraining, batchSize, validationBatchSize: batchSize },
    optimizerSlots: 0,
    validation: source,
    onKernels,
  });
  try {
    station.begin();
    const began = performance.now();
    await obeyWholly(station, { kind: 'evaluate' });
    return { ...evaluationOf(readLossSums(station), source.length, metrics), samples: source.length, seconds: (performance.now() - began) / 1000 };
  } finally {
    await station.team.end();
  }
}

/** What an evaluation comes to, summed over the rows. */
export interface LossSums {
  readonly loss: number;
  readonly correct: number;
}

/** Of the ranks' last evaluation. */
export function readLossSums({ plan, arena: { f64 } }: Station): LossSums {
  const sums = plan.ranks[0]!.lossSums.result >>> 3;
  return { loss: f64[sums]!, correct: f64[sums + 1]! };
}

/** Means over the rows, under the names of metrics. */
export function evaluationOf({ loss, correct }: LossSums, rows: number, metrics: readonly string[]): Evaluation {
  return { loss: loss / rows, metrics: metrics.includes('accuracy') ? { accuracy: correct / rows } : {} };
}
