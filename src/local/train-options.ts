/**
 * Room: local (level 6). What `train()` is given, and what it gives.
 */
import type { RunSettingsInput } from '../config/run.ts';
import type { Learnt } from '../data/learnt.ts';
import type { LayerChoice } from '../interop/files.ts';
import type { KernelSelection } from '../kernels/select.ts';
import type { Model } from '../model/model.ts';
import type { LoadReport } from '../model/partial.ts';
import type { EndEvent, EpochEvent, RunEvent, StepEvent } from '../telemetry/events.ts';
import type { CheckpointOptions } from './checkpoint-options.ts';
import type { Crew, OpenCrew } from './crew.ts';
import type { History } from './history.ts';
import type { DataInput } from './inputs.ts';
import type { RecordOptions } from './recordings.ts';
import type { TeamOptions } from './team.ts';

/** What a callback can do about the run that called it. */
export interface RunControl {
  /** Ends the run after the step that is computed now, as Keras' `stop_training` does. `reason` is told with the end of the run. */
  stop(reason?: string): void;
}

/** First weights of a file whose layers have other names, or are not all of the model's. */
export interface InitOptions extends LayerChoice {
  readonly path: string;
}

export interface TrainOptions extends RunSettingsInput {
  /** Trained in place. A model without weights gets first ones from `seed`; one that has weights goes on from them. */
  readonly model: Model;
  readonly data: { readonly train: DataInput; readonly validation?: DataInput | undefined };
  /** A file of first weights: safetensors, or a model of TensorFlow.js or Keras whose layers have these names. */
  readonly init?: string | InitOptions | undefined;
  /** Called for every step in order, up to some 25 ms after it. What it throws ends the run; `control.stop()` ends it well. */
  readonly onStep?: ((event: StepEvent, control: RunControl) => void) | undefined;
  readonly onEpoch?: ((event: EpochEvent, control: RunControl) => void) | undefined;
  /** Called once when the run has ended well, stopped ones included. */
  readonly onEnd?: ((event: EndEvent) => void) | undefined;
  /** Called for every event, those above included. */
  readonly onEvent?: ((event: RunEvent) => void) | undefined;
  /** Called once the run is checked and sized, before its first step. */
  readonly onStart?: ((run: RunStart) => void) | undefined;
  /** Where checkpoints are kept and when; absent: none are. */
  readonly checkpoints?: CheckpointOptions | undefined;
  /** Aborting ends the run after the step it is in; the run then returns, `interrupted`. */
  readonly signal?: AbortSignal | undefined;
  /** Told who does the work before `onStart`; for whoever watches. @internal */
  readonly onCrew?: ((crew: Crew) => void | Promise<void>) | undefined;
  /** Who does the work, when it is not this machine alone; the cluster's. @internal */
  readonly openCrew?: OpenCrew | undefined;
  /** Records the first steps of this machine's ranks. @internal */
  readonly record?: RecordOptions | undefined;
  /** Counts gradients in steps that are looked at closely. @internal */
  readonly gradientHistograms?: boolean | undefined;
  /** Told what befell ranks and what was done about it, a sentence each. */
  readonly onNews?: ((sentence: string) => void) | undefined;
  /** Makes a rank fail on purpose, and says when one is taken for stuck; for tests of recovery. @internal */
  readonly fault?: TeamOptions['fault'];
  readonly vigil?: TeamOptions['vigil'];
}

/** What a run turned out to be. */
export interface RunStart {
  readonly hosts: number;
  /** Of all hosts. */
  readonly workers: number;
  readonly shards: number;
  readonly kernels: KernelSelection;
  /** Training rows, steps an epoch and steps in all. */
  readonly samples: number;
  readonly stepsPerEpoch: number;
  readonly steps: number;
  /** Steps and whole epochs that were done before; 0 for a run that begins. */
  readonly from: number;
  readonly epochsBefore: number;
  /** What became of each layer, when `init` was given as `InitOptions`. */
  readonly loaded?: LoadReport;
  /** Size of the arena. */
  readonly arenaBytes: number;
}

export interface Run extends Learnt {
  /** The model that was given, with the trained weights. */
  readonly model: Model;
  /** Keras' history: one number an epoch under `loss`, `accuracy`, `val_loss`, `val_accuracy`. */
  readonly history: History;
  readonly weightsSha256: string;
  readonly steps: number;
  readonly seconds: number;
  readonly samplesPerSecond: number;
  /** True when the run was asked to stop from outside. */
  readonly interrupted: boolean;
  /** Why it ended before its last step, when a callback or early stopping ended it. */
  readonly stopped?: string;
}
