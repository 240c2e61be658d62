/**
 * Room: local (level 6). What crosses from the main thread to a rank when it starts, the commands that follow in the arena,
 * and what a rank says when it ends. Plain data only: classes do not survive threads.
 */
import type { ControlIndex } from '../collectives/control.ts';
import type { ErrorCode } from '../errors.ts';
import type { KernelSelection } from '../kernels/select.ts';
import type { Arena } from '../memory/arena.ts';
import type { PlanSpec } from '../model/plan.ts';
import type { Phase } from '../telemetry/timing.ts';
import type { TrainOrder } from '../train/loop.ts';
import type { TrainingSpec } from '../train/rank.ts';

/** A connection to host `host` of the generation that the leader reads and writes itself. */
interface StepSocket {
  readonly host: number;
  /** The system's. Whoever gave it closes it when the ranks have ended. */
  readonly descriptor: number;
  /** True when this side dialed: a dialer's WebSocket messages have a mask. */
  readonly masks: boolean;
}

export interface StepSockets {
  readonly generation: number;
  readonly sockets: readonly StepSocket[];
}

/** A fault that is asked for, to see that nothing is lost by it. */
export interface RankFault {
  readonly step: number;
  /** Where: entering this layer in its forward pass, or a phase of the step anywhere. */
  readonly layer?: number;
  readonly phase?: Phase;
  /**
   * An error, the thread's exit, all memory that it may have, no end, a call into the system that does not return (of the standard input, on which nothing may
   * come), the death of the process as by kill -9. `throw`, `exit` and `kill` in phase `optimizer` come after the rank has updated its first block.
   */
  readonly kind: 'throw' | 'exit' | 'memory' | 'hang' | 'block' | 'kill';
  /** How many times at most; default without end. */
  readonly times?: number;
}

export interface RankTask {
  readonly memory: WebAssembly.Memory;
  readonly plan: PlanSpec;
  readonly training: TrainingSpec;
  readonly kernels: KernelSelection;
  readonly rank: number;
  /** As in `Barrier`. */
  readonly spins: number;
  /** Absent: the main thread carries messages to other hosts, if there are any. */
  readonly steps?: StepSockets;
  /** Makes this rank fail on purpose. For tests of supervision and of recovery. */
  readonly fault?: RankFault;
}

/** How a rank's task ended: told to, because its generation of hosts was recalled, because another rank failed, or by an error of its own. */
export type RankOutcome =
  | { readonly kind: 'done' }
  | { readonly kind: 'recalled' }
  | { readonly kind: 'aborted' }
  | { readonly kind: 'failed'; readonly code: ErrorCode | undefined; readonly message: string; readonly stack: string | undefined };

/** What the doorbell can ask for. */
export type Command =
  | ({ readonly kind: 'train' } & TrainOrder)
  /** Loss and correct predictions over the validation data. */
  | { readonly kind: 'evaluate' }
  /** The model's outputs for the validation data, to where the plan has a place for them. */
  | { readonly kind: 'predict' }
  /** Moving statistics become those of the validation data. */
  | { readonly kind: 'recalibrate' }
  /** Finish the first step of the order, which ranks before these were applying when one of them died. */
  | ({ readonly kind: 'complete' } & TrainOrder)
  | { readonly kind: 'end' };

const commandNumber = { end: 1, train: 2, evaluate: 3, complete: 4, predict: 5, recalibrate: 6 } as const;

/** The words of a train command, in order, and its float64 numbers from word 8 on; with its kind they fit a cache line. */
const trainWords = ['epoch', 'firstBatch', 'batches', 'firstStep', 'updates', 'skippedInARow'] as const satisfies readonly (keyof TrainOrder)[];
const trainNumbers = ['rateScale', 'leastRate'] as const satisfies readonly (keyof TrainOrder)[];

/** Writes a command's payload. Only while all ranks wait at the doorbell. */
export function writeCommand({ i32, f64 }: Arena, { command: at }: ControlIndex, command: Command): void {
  switch (command.kind) {
    case 'end':
      i32[at] = commandNumber.end;
      return;
    case 'evaluate':
    case 'predict':
    case 'recalibrate':
      i32[at] = commandNumber[command.kind];
      return;
    case 'train':
    case 'complete':
      i32.set([commandNumber[command.kind], ...trainWords.map((word) => command[word])], at);
      f64.set(
        trainNumbers.map((name) => command[name]),
        (at + 8) >>> 1,
      );
      return;
    default:
      command satisfies never;
  }
}

/** The command that was rung for. */
export function readCommand({ i32, f64 }: Arena, { command: at }: ControlIndex): Command {
  const order = (): TrainOrder =>
    Object.fromEntries([
      ...trainWords.map((word, i) => [word, i32[at + 1 + i]!]),
      ...trainNumbers.map((name, i) => [name, f64[((at + 8) >>> 1) + i]!]),
    ]) as unknown as TrainOrder;
  switch (i32[at]) {
    case commandNumber.train:
      return { kind: 'train', ...order() };
    case commandNumber.complete:
      return { kind: 'complete', ...order() };
    case commandNumber.evaluate:
      return { kind: 'evaluate' };
    case commandNumber.predict:
      return { kind: 'predict' };
    case commandNumber.recalibrate:
      return { kind: 'recalibrate' };
    default:
      return { kind: 'end' };
  }
}
