/**
 * Room: telemetry (level 2). What a run tells as it goes: the objects that callbacks get and that `--log` writes, one JSON
 * object a line.
 */

export type Metrics = Readonly<Record<string, number>>;

/** One optimizer step, applied or skipped. */
export interface StepEvent {
  readonly event: 'step';
  /** From 1, over the run. */
  readonly step: number;
  /** From 0. */
  readonly epoch: number;
  /** Rows of the global batch. */
  readonly samples: number;
  /** The mean over the global batch. */
  readonly loss: number;
  readonly metrics: Metrics;
  /** Norm of the global mean gradient before clipping. */
  readonly gradNorm: number;
  /** What `globalClipnorm` or `clipPercentile`, or `clipnorm` on the tensor or `adaptiveClip` on the unit it changed most, multiplied the gradient with; 1 for untouched and for `clipvalue`. */
  readonly clipScale: number;
  readonly learningRate: number;
  readonly seconds: number;
  /** Present when the step was not applied because a number was not finite: where the first one stood. */
  readonly skipped?: { readonly phase: string; readonly layer?: string; readonly shard?: number };
}

/** Loss and metrics over a data set, with moving statistics. */
export interface Evaluation {
  readonly loss: number;
  readonly metrics: Metrics;
}

/** One pass over the training data; loss and metrics are means over the rows it trained on, as the weights changed. */
export interface EpochEvent {
  readonly event: 'epoch';
  readonly epoch: number;
  readonly loss: number;
  readonly metrics: Metrics;
  readonly validation?: Evaluation;
  /** True when the run ended inside the epoch. */
  readonly partial?: true;
}

/** What became of a checkpoint that was due. */
export interface CheckpointEvent {
  readonly event: 'checkpoint';
  /** The last committed step that it has. */
  readonly step: number;
  /** `postponed`: the one before is being written still; it comes with the next one that is due. */
  readonly result: 'written' | 'failed' | 'postponed';
  /** How long ranks stood for the copy of the state. */
  readonly stallSeconds: number;
  /** Of the writing, meanwhile; present when it was written. */
  readonly seconds?: number;
  readonly bytes?: number;
}

/** What this host sent to others. */
export interface NetworkUse {
  /** Bytes of messages, without what WebSocket and TCP add. */
  readonly bytesOut: number;
  /** Of these, numbers of gradients. */
  readonly gradientBytesOut: number;
}

/** The end of a host that joined a run of another machine. */
export interface HostEndEvent {
  readonly event: 'end';
  /** The last step that was committed here. */
  readonly steps: number;
  /** Wall time from joining to the end. */
  readonly seconds: number;
  /** Of the weights as they were here: those of the run, when the host stayed until its end. */
  readonly weightsSha256: string;
  readonly network: NetworkUse;
}

export interface EndEvent {
  readonly event: 'end';
  readonly steps: number;
  /** Wall time from the first step to the end, evaluations included. */
  readonly seconds: number;
  /** Rows trained on, per second of training (evaluations not counted). */
  readonly samplesPerSecond: number;
  readonly weightsSha256: string;
  /** True when the run was asked to stop before it was done. */
  readonly interrupted?: true;
  /** Why it ended before its last step, when a callback or early stopping ended it. */
  readonly stopped?: string;
  /** Present when the run has several hosts. */
  readonly network?: NetworkUse;
}

export type RunEvent = StepEvent | EpochEvent | CheckpointEvent | EndEvent;
