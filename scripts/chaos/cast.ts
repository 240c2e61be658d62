/**
 * Room: scripts (level 8). Who takes part in a run: the process that leads, those that join it, guests for a while; how each is started,
 * again if need be, and the proxies through which those are reached that are to be cut off.
 */
import { join } from 'node:path';
import { type Proxy as Line, startProxy } from '../bench/proxy.ts';
import { freePorts, Started } from './processes.ts';
import { shards } from './recipe.ts';
import type { InsideFault, RunPlan } from './schedule.ts';

/** Seconds: short, so that a run sees many hosts fall silent. */
export const heartbeatTimeout = 2;

export interface Slot {
  readonly index: number;
  /** Stays for a while and is not started again. */
  readonly guest: boolean;
  readonly proxies: readonly Line[];
  readonly begin: (carries: InsideFault | undefined) => Started;
  current: Started;
}

export class Cast {
  readonly #plan: RunPlan;
  readonly #folder: string;
  readonly #config: string;
  readonly #port: number;
  readonly slots: Slot[] = [];
  readonly #proxies: Line[] = [];
  /** All that were ever started. */
  readonly #started: Started[] = [];

  private constructor(plan: RunPlan, folder: string, config: string, port: number) {
    [this.#plan, this.#folder, this.#config, this.#port] = [plan, folder, config, port];
  }

  /** Starts all slots of the plan. */
  static async gather(plan: RunPlan, folder: string, config: string, carries: (slot: number) => InsideFault | undefined): Promise<Cast> {
    const [port] = await freePorts(1);
    const cast = new Cast(plan, folder, config, port!);
    const lead = (fault: InsideFault | undefined): Started => cast.#begin(0, cast.#leaderArgs(), fault);
    cast.#add({ index: 0, guest: false, proxies: [], begin: lead }, carries(0));
    for (let index = 1; index < plan.workers.length; index++) await cast.#addHost(index, carries(index));
    return cast;
  }

  get runDirectory(): string {
    return join(this.#folder, 'run');
  }

  /** One more host. */
  invite(): Slot {
    const index = this.slots.length;
    const begin = (): Started => this.#begin(index, this.#hostArgs(index, this.#port), undefined);
    return this.#add({ index, guest: true, proxies: [], begin }, undefined);
  }

  /** Nothing of it is left. */
  async dispose(): Promise<void> {
    for (const started of this.#started) started.kill('SIGKILL');
    await Promise.all(this.#started.map(({ ended }) => ended));
    await Promise.all(this.#proxies.map((proxy) => proxy.close()));
  }

  async #addHost(index: number, fault: InsideFault | undefined): Promise<void> {
    const isCutOff = this.#plan.faults.some(({ slot, kind }) => slot === index && (kind === 'partition' || kind === 'cut'));
    if (!isCutOff) {
      const begin = (carries: InsideFault | undefined): Started => this.#begin(index, this.#hostArgs(index, this.#port), carries);
      this.#add({ index, guest: false, proxies: [], begin }, fault);
      return;
    }
    // Both what it dials and what others dial of it, so that in a star nothing reaches it, and in a mesh nothing but those that it dialed itself.
    const [mesh] = await freePorts(1);
    const proxies: Line[] = [];
    for (const port of [this.#port, mesh!]) {
      const proxy = await startProxy({ listen: { host: '127.0.0.1', port: 0 }, target: { host: '127.0.0.1', port } });
      proxies.push(proxy);
      this.#proxies.push(proxy);
    }
    const [control, inbound] = proxies.map(({ port }) => port);
    const more = ['--mesh-listen', `127.0.0.1:${mesh}`, '--advertise', `127.0.0.1:${inbound}`];
    const begin = (carries: InsideFault | undefined): Started => this.#begin(index, [...this.#hostArgs(index, control!), ...more], carries);
    this.#add({ index, guest: false, proxies, begin }, fault);
  }

  #add(slot: Omit<Slot, 'current'>, fault: InsideFault | undefined): Slot {
    const added = { ...slot, current: slot.begin(fault) };
    this.slots.push(added);
    return added;
  }

  #begin(index: number, args: readonly string[], carries: InsideFault | undefined): Started {
    const prefix = index === 0 ? 'leader' : `host-${index}`;
    const serial = this.#started.filter(({ name }) => name.startsWith(`${prefix}.`)).length;
    const started = new Started(this.#folder, `${prefix}.${serial}`, args, carries);
    this.#started.push(started);
    return started;
  }

  #leaderArgs(): string[] {
    const { kind, workers, topology, minHosts, steps, resumes } = this.#plan;
    const args = ['train', this.#config, '--workers', String(workers[0]), '--shards', String(shards), '--steps', String(steps)];
    if (kind === 'cluster') args.push('--listen', `127.0.0.1:${this.#port}`, '--topology', topology);
    if (kind === 'cluster') args.push('--min-hosts', String(minHosts), '--heartbeat-timeout', String(heartbeatTimeout));
    if (resumes) args.push('--run-dir', this.runDirectory, '--checkpoint-every', '50steps', '--resume');
    return args;
  }

  #hostArgs(index: number, port: number): string[] {
    const workers = String(this.#plan.workers[index] ?? 1);
    return ['join', `ws://127.0.0.1:${port}`, '--workers', workers, '--name', `host-${index}`, '--cache-dir', join(this.#folder, `cache-${index}`)];
  }
}
