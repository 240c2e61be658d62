/**
 * Room: local (level 6). What a machine has of a run: its arena and its ranks, for one part of the run after another. What lasts
 * (state, data) stays at its addresses when the part changes; the scratch of a plan begins zeroed.
 */
import type { Part } from '../collectives/shard-plan.ts';
import type { KernelSelection } from '../kernels/select.ts';
import { Arena } from '../memory/arena.ts';
import { type PlanSpec, planRun, type RunPlan } from '../model/plan.ts';
import type { TrainingSpec } from '../train/rank.ts';
import type { StepSockets } from './task.ts';
import { Team, type TeamOptions } from './team.ts';

export interface StationOptions {
  readonly spec: PlanSpec;
  readonly training: TrainingSpec;
  readonly kernels: KernelSelection;
  /** True when the run has several hosts, so that parts change. */
  readonly changes?: boolean;
  readonly worker?: TeamOptions['worker'];
  readonly fault?: TeamOptions['fault'];
}

export class Station {
  readonly team: Team;
  readonly kernels: KernelSelection;
  #plan: RunPlan;
  #arena: Arena;
  /** Up to here plans have written: what lies behind is zero still. */
  #used: number;

  /** Plans and allocates; ranks start with `begin`. Throws LOCKSTEP_SHAPE and LOCKSTEP_MEMORY. */
  constructor({ spec, training, kernels, changes = false, worker, fault }: StationOptions) {
    this.#plan = planRun(spec);
    this.#arena = Arena.create(changes ? this.#plan.lasting : this.#plan.memory.bytes, { growable: changes });
    this.#used = changes ? this.#plan.lasting : this.#plan.memory.bytes;
    this.kernels = kernels;
    this.team = new Team({ ranks: spec.ranks, training, kernels, ...(worker && { worker }), ...(fault && { fault }) });
  }

  /** Of the part that is computed now. */
  get plan(): RunPlan {
    return this.#plan;
  }

  /** Old ones see what lasts; the newest sees all. */
  get arena(): Arena {
    return this.#arena;
  }

  /** Starts the ranks on the plan that the station was made with. */
  begin(): void {
    this.team.begin(this.#plan, this.#arena);
  }

  /** Ends the ranks' part of the run and starts them on another one: all shards when there is no `part`. `steps` as for a Team. */
  async change(part: Part | undefined, steps?: StepSockets): Promise<void> {
    await this.team.rest();
    const { part: _, ...spec } = this.#plan.spec;
    this.#plan = planRun(part ? { ...spec, part } : spec);
    const { lasting, memory } = this.#plan;
    this.#arena = this.#arena.grown(memory.bytes);
    this.#arena.u8.fill(0, lasting, Math.min(memory.bytes, this.#used));
    this.#used = Math.max(this.#used, memory.bytes);
    this.team.begin(this.#plan, this.#arena, steps);
  }
}
