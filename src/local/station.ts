/**
 * Room: local (level 6). What a machine has of a run: its arena and its ranks, for one part of the run after another. What lasts
 * (state, data) stays at its addresses when the part changes; the scratch of a plan begins zeroed.
 */
import type { Part } from '../collectives/shard-plan.ts';
import type { RowFile } from '../data/row-file.ts';
import { LockstepError } from '../errors.ts';
import type { KernelSelection } from '../kernels/select.ts';
import { Arena } from '../memory/arena.ts';
import { type PlanSpec, planRun, type RunPlan } from '../model/plan.ts';
import { stoodStep } from '../model/standing.ts';
import { updatingOf } from '../model/updating.ts';
import type { TrainOrder } from '../train/loop.ts';
import type { TrainingSpec } from '../train/rank.ts';
import type { StreamedSets } from './read-ahead.ts';
import { Reader } from './reader.ts';
import type { Command, StepSockets } from './task.ts';
import { Team, type TeamOptions } from './team.ts';

export interface StationOptions {
  readonly spec: PlanSpec;
  readonly training: TrainingSpec;
  readonly kernels: KernelSelection;
  /** True when the run has several hosts, so that parts change. */
  readonly changes?: boolean;
  readonly worker?: TeamOptions['worker'];
  readonly fault?: TeamOptions['fault'];
  readonly vigil?: TeamOptions['vigil'];
  /** Where the inputs are that stay on disk, of the sets that have such. */
  readonly rowFiles?: { readonly train?: RowFile | undefined; readonly validation?: RowFile | undefined } | undefined;
}

/** So often ranks may die while they finish a step. */
const mostCompletions = 3;

export class Station {
  readonly kernels: KernelSelection;
  readonly #options: StationOptions;
  #team: Team;
  #plan: RunPlan;
  #reader: Reader | undefined;
  #arena: Arena;
  /** Up to here plans have written: what lies behind is zero still. */
  #used: number;
  /** Ranks of the next part. */
  #ranks: number;

  /** Plans and allocates; ranks start with `begin`. Throws LOCKSTEP_SHAPE and LOCKSTEP_MEMORY. */
  constructor(options: StationOptions) {
    const { spec, kernels, changes = false } = options;
    this.#options = options;
    this.#plan = planRun(spec);
    // A machine alone changes only when it loses a rank.
    this.#used = changes ? this.#plan.lasting : this.#plan.memory.bytes;
    this.#arena = Arena.create(this.#used, { growable: true });
    this.kernels = kernels;
    this.#ranks = spec.ranks;
    this.#team = this.#makeTeam();
  }

  get training(): TrainingSpec {
    return this.#options.training;
  }

  /** Of the next part. */
  get ranks(): number {
    return this.#ranks;
  }

  get team(): Team {
    return this.#team;
  }

  /** Of the part that is computed now. */
  get plan(): RunPlan {
    return this.#plan;
  }

  /** Old ones see what lasts; the newest sees all. */
  get arena(): Arena {
    return this.#arena;
  }

  /** Starts the ranks on the plan that the station was made with, and the thread that reads ahead of them. */
  begin(): void {
    const { feed } = this.#plan;
    if (feed) this.#reader ??= new Reader(this.#arena, feed, this.#streamed());
    this.#team.begin(this.#plan, this.#arena);
  }

  /** Ends all threads, whatever they do. */
  async end(): Promise<void> {
    try {
      await this.#team.end();
    } finally {
      await this.#reader?.end();
    }
  }

  /** Ends the ranks' part of the run and starts them on another one: all shards when there is no `part`. `steps` as for a Team. */
  async change(part: Part | undefined, steps?: StepSockets): Promise<void> {
    await this.#team.rest();
    const { part: _, ...spec } = this.#plan.spec;
    const ranks = this.#ranks;
    if (ranks !== spec.ranks) {
      await this.#team.end();
      this.#team = this.#makeTeam();
    }
    this.#plan = planRun({ ...spec, ranks, ...(part && { part }) });
    const { lasting, memory } = this.#plan;
    this.#arena = this.#arena.grown(memory.bytes);
    this.#arena.u8.fill(0, lasting, Math.min(memory.bytes, this.#used));
    this.#used = Math.max(this.#used, memory.bytes);
    this.#team.begin(this.#plan, this.#arena, steps);
  }

  /** From the next change on there is a rank less; false when there is only one. */
  evict(): boolean {
    if (this.#ranks === 1) return false;
    this.#ranks--;
    return true;
  }

  /**
   * After a command that stumbled, when the ranks rest: finishes the step that they were applying, if they were; it is the first of `next`.
   * Then the state is that of a step, before or after. Throws LOCKSTEP_STATE when it cannot be.
   */
  async settle(next: TrainOrder | undefined): Promise<void> {
    for (let tries = 0; next; tries++) {
      const found = updatingOf(this.#arena, this.#plan, next.firstStep);
      if (found === 'untouched' || stoodStep(this.#arena, this.#plan) >= next.firstStep) return;
      if (found === 'torn' || tries === mostCompletions) {
        throw new LockstepError(
          'LOCKSTEP_STATE',
          `Expected to finish step ${next.firstStep}, which was being applied when a rank died, got ${found === 'torn' ? 'a rank that was ended within an update' : `${tries} ranks that died of it`}; go on from a checkpoint with --resume.`,
        );
      }
      this.#team.begin(this.#plan, this.#arena);
      await this.#team.obey({ ...next, kind: 'complete' });
      await this.#team.rest();
    }
  }

  #streamed(): StreamedSets {
    const { spec, training, rowFiles = {} } = this.#options;
    const { train, validation } = rowFiles;
    const { batchSize, validationBatchSize, shuffle, seed } = training;
    return {
      ...(train && { train: { file: train, length: spec.train!.length, batchSize, ...(shuffle && { shuffleSeed: seed }) } }),
      ...(validation && { validation: { file: validation, length: spec.validation!.length, batchSize: validationBatchSize, shuffleSeed: seed } }),
    };
  }

  #makeTeam(): Team {
    const { training, kernels, worker, fault, vigil } = this.#options;
    const ranks = this.#ranks;
    const onCommand = (command: Command): void => this.#reader?.prepare(command, ranks);
    return new Team({ ranks, onCommand, training, kernels, ...(worker && { worker }), ...(fault && { fault }), ...(vigil && { vigil }) });
  }
}
