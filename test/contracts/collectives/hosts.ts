/**
 * Room: tests of contracts. Several hosts inside one process, each with an arena, ranks in real threads and a member of the
 * cluster, connected by lines. As a crew they do for `train()` what a machine does alone; any of them can be lost on the way.
 */

import { Member, rankWorker } from '../../../cluster/member.ts';
import { hashOf } from '../../../src/config/canonical.ts';
import type { Crew, OpenCrew } from '../../../src/local/crew.ts';
import { type LossSums, readLossSums } from '../../../src/local/evaluate.ts';
import { openStation } from '../../../src/local/session.ts';
import { Station } from '../../../src/local/station.ts';
import type { Command } from '../../../src/local/task.ts';
import type { TrainOrder } from '../../../src/train/loop.ts';
import type { TrainingSpec } from '../../../src/train/rank.ts';
import { type Dice, diceOf, turn } from './lines.ts';
import { linesBetween, socketsBetween, type Wiring } from './ways.ts';

export interface Cluster {
  readonly topology: 'star' | 'mesh';
  /** Ranks of each host, the coordinator's first. */
  readonly workers: readonly number[];
  /** Host h computes shards [bounds[h], bounds[h + 1]). */
  readonly bounds: readonly number[];
  /** Who carries: leaders, main threads (`main` on sockets of its own), or by default main threads on lines with delays. */
  readonly carriers?: readonly ('leader' | 'main')[] | undefined;
  /** Of the delays. */
  readonly seed?: number;
  /** A host other than the coordinator that is lost once so many messages have come, over all lines. */
  readonly loss?: { readonly host: number; readonly afterMessages: number };
}

/** What was seen of the hosts when the crew ended. */
export interface Seen {
  /** Hash of weights, moving statistics and optimizer vectors of every host that was there to the end. */
  readonly states: readonly string[];
  readonly messages: number;
  readonly generations: number;
  /** How the command that lost a host ended on every host, the lost one included, the step that it stood at, and its state. */
  readonly recalled: readonly { readonly obeyed: Awaited<ReturnType<Member['obey']>>; readonly committed: number; readonly state: string }[];
}

export class Hosts implements Crew {
  readonly #cluster: Cluster;
  readonly #members: readonly Member[];
  readonly #dice: Dice;
  #wiring!: Wiring;
  /** Ids of those that are there. */
  #present: readonly number[];
  #bounds: readonly number[];
  #generation = 0;
  #messages = 0;
  #ended = false;
  #recalled: Seen['recalled'] = [];
  #fail!: (error: unknown) => void;
  readonly #failure: Promise<never>;

  private constructor(cluster: Cluster, stations: readonly Station[]) {
    this.#cluster = cluster;
    this.#members = stations.map((station) => new Member(station, () => {}));
    this.#present = stations.map((_, id) => id);
    this.#bounds = cluster.bounds;
    this.#dice = diceOf(cluster.seed ?? 1);
    this.#failure = new Promise((_, reject) => {
      this.#fail = reject;
    });
    this.#failure.catch(() => {});
  }

  /** `onEnd` is told what was seen, before the ranks end. */
  static opener(cluster: Cluster, onEnd: (seen: Seen) => void = () => {}): OpenCrew {
    return async (options) => {
      const [workers, ...others] = cluster.workers;
      const first = openStation({ ...options, settings: { ...options.settings, workers } }, { worker: rankWorker });
      const { plan, kernels, arena } = first;
      const training: TrainingSpec = options.training;
      const stations = others.map((ranks) => {
        const station = new Station({ spec: { ...plan.spec, ranks }, training, kernels, changes: true, worker: rankWorker });
        station.arena.u8.set(arena.u8.subarray(plan.state.from, plan.lasting), plan.state.from);
        return station;
      });
      const hosts = new Hosts(cluster, [first, ...stations]);
      hosts.#onEnd = onEnd;
      hosts.#wiring = await hosts.#wire();
      await hosts.#enter();
      return hosts;
    };
  }

  #onEnd!: (seen: Seen) => void;

  get station(): Station {
    return this.#members[0]!.station;
  }

  get hosts(): number {
    return this.#present.length;
  }

  get workers(): number {
    return this.#cluster.workers.reduce((sum, count) => sum + count, 0);
  }

  async train(order: TrainOrder): Promise<void> {
    for (let rest = order; ; ) {
      if (await this.#obey({ kind: 'train', ...rest })) return;
      const { step, updates, skippedInARow } = this.#members[0]!.standing;
      const done = Math.max(0, step - order.firstStep + 1);
      if (done >= order.batches) return;
      rest = {
        ...order,
        firstBatch: order.firstBatch + done,
        batches: order.batches - done,
        firstStep: order.firstStep + done,
        ...(done > 0 && { updates, skippedInARow }),
      };
    }
  }

  async evaluate(): Promise<LossSums> {
    while (!(await this.#obey({ kind: 'evaluate' })));
    return readLossSums(this.station);
  }

  requestStop(): void {
    this.station.team.requestStop();
  }

  requestPause(): void {
    this.requestStop();
  }

  async end(): Promise<void> {
    this.#ended = true;
    if (this.#cluster.carriers) this.#messages = Math.max(this.#messages, this.#received());
    const states = this.#present.map((id) => stateHash(this.#members[id]!.station));
    this.#onEnd({ states, messages: this.#messages, generations: this.#generation, recalled: this.#recalled });
    await Promise.all(this.#members.map((member) => member.end()));
    await this.#wiring.close();
  }

  /** True when all hosts have finished; false when one was lost, and a new generation has begun without it. */
  async #obey(command: Command): Promise<boolean> {
    const present = this.#present;
    const obeyed = await Promise.race([Promise.all(present.map((id) => this.#members[id]!.obey(command))), this.#failure]);
    if (this.#present === present) {
      if (obeyed.some((how) => how !== 'finished')) throw new Error(`Expected all hosts to finish, got ${obeyed.join()}.`);
      return true;
    }
    this.#recalled = present.map((id, i) => ({ obeyed: obeyed[i]!, committed: this.#members[id]!.committed, state: stateHash(this.#members[id]!.station) }));
    await this.#enter();
    return false;
  }

  /** A new generation of those present, with the coordinator's state. */
  async #enter(): Promise<void> {
    const generation = ++this.#generation;
    const { topology, workers } = this.#cluster;
    const members = this.#present.map((id, i) => ({ id, name: `host ${id}`, workers: workers[id]!, first: this.#bounds[i]!, end: this.#bounds[i + 1]!, address: '' }));
    const { arena, plan } = this.station;
    const { from, to } = plan.state;
    await Promise.all(
      members.map(async ({ id }, self) => {
        const member = this.#members[id]!;
        const place = { generation, members, self, topology };
        await member.enter(place, await this.#wiring.openWays(id, place));
        if (id === 0) return;
        member.station.arena.u8.set(arena.u8.subarray(from, to), from);
      }),
    );
  }

  #wire(): Promise<Wiring> | Wiring {
    const { carriers, workers } = this.#cluster;
    if (!carriers) return linesBetween(this.#dice, () => this.#counted(1), this.#fail);
    void this.#countTraffic().catch(this.#fail);
    return socketsBetween(workers.map((_, id) => carriers[id % carriers.length]!));
  }

  #counted(messages: number): void {
    const { loss } = this.#cluster;
    const before = this.#messages;
    this.#messages += messages;
    if (loss && before < loss.afterMessages && this.#messages >= loss.afterMessages) this.#lose(loss.host).catch(this.#fail);
  }

  #received(): number {
    return this.#members.reduce((sum, { traffic }) => sum + traffic.messagesIn, 0);
  }

  /** What leaders receive nobody tells: it is looked up, turn by turn. */
  async #countTraffic(): Promise<void> {
    for (let seen = 0; !this.#ended; await turn()) {
      const received = this.#received();
      this.#counted(received - seen);
      seen = received;
    }
  }

  /** The host's connections break; the others are recalled, each as soon as it hears of it. The lost one's shards go to its neighbour. */
  async #lose(host: number): Promise<void> {
    this.#wiring.cut(host);
    const at = this.#present.indexOf(host);
    const present = this.#present;
    this.#present = present.filter((id) => id !== host);
    this.#bounds = this.#bounds.filter((_, i) => i !== at);
    await Promise.all(
      present.map(async (id) => {
        for (let turns = this.#dice(20); turns > 0; turns--) await turn();
        this.#members[id]!.recall();
      }),
    );
  }
}

/** Of all that a commit changes. */
export function stateHash({ arena, plan }: Station): string {
  return hashOf(Buffer.from(arena.u8.slice(plan.state.from, plan.state.to)).toString('hex'));
}
