/**
 * Room: model (level 4). What a plan is made from.
 */
import type { Part } from '../collectives/shard-plan.ts';
import type { ModelConfig } from '../config/layers.ts';
import type { LossSpec } from '../losses/loss.ts';
import type { Shape } from '../memory/shape.ts';
import type { MetricSpec } from '../metrics/measures.ts';
import type { OptimizerRoom } from '../optimizers/room.ts';
import type { DataSpec } from './data-place.ts';

/** Everything a plan depends on. Plain data: it crosses threads as it is. */
export interface PlanSpec extends OptimizerRoom {
  readonly model: ModelConfig;
  readonly inputShape: Shape;
  /** Absent when the plan is for predictions only. */
  readonly loss?: LossSpec;
  /** What is told beside the loss; absent: nothing. */
  readonly metrics?: readonly MetricSpec[];
  readonly shards: number;
  readonly ranks: number;
  /** Among several hosts, which shards are computed here; absent: all. */
  readonly part?: Part;
  /** Rows of the largest global batch, in training or evaluation. */
  readonly batchRows: number;
  /** In how many passes ranks compute a batch, see passes.ts; absent: in one. Models that need the whole batch at once are computed in one. */
  readonly passes?: number;
  readonly train?: DataSpec;
  readonly validation?: DataSpec;
  /** True when the outputs for the validation data are kept, see `RunPlan.predictions`. */
  readonly predictions?: boolean;
  /** True to compute the gradient of the model's input as well. */
  readonly inputGradient?: boolean;
  /** True when layers are frozen for some epochs: each is then computed by itself. */
  readonly freezes?: boolean;
  /** How many of its first steps each rank records, see telemetry/recording.ts; absent: none. */
  readonly traceSteps?: number;
  /** True to count gradients into buckets in steps that are looked at closely. */
  readonly gradientHistograms?: boolean;
}
