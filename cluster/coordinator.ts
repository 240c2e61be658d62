/**
 * Room: cluster (level 7). The coordinator: the shell around the membership's state machine. It turns messages, closed sockets and
 * silences into events, carries out the effects, and gives the run's commands to all hosts, its own ranks among them. As a `Crew`
 * it does for `train()` what the ranks of one machine do; nothing is decided here that the machine could decide.
 */
import type { Crew } from '../src/local/crew.ts';
import { type LossSums, readLossSums } from '../src/local/evaluate.ts';
import type { Station } from '../src/local/station.ts';
import type { Command } from '../src/local/task.ts';
import type { NetworkUse } from '../src/telemetry/events.ts';
import type { ClusterSnapshot, ProcessSnapshot } from '../src/telemetry/snapshot.ts';
import { phases } from '../src/telemetry/timing.ts';
import type { TrainOrder } from '../src/train/loop.ts';
import { remaining } from '../src/train/remaining.ts';
import { Chronicle } from './chronicle.ts';
import { steadyNow } from './clock.ts';
import type { Connections, CoordinatorOptions } from './coordinator-options.ts';
import { Gate } from './gate.ts';
import type { Guest, Guests } from './guests.ts';
import { Herald, type NewGeneration } from './herald.ts';
import { Homecoming } from './homecoming.ts';
import { Member } from './member.ts';
import { eventOf, speedOf } from './membership/hearsay.ts';
import { transition } from './membership/machine.ts';
import { type Effect, type MembershipEvent, newRun, type RunState } from './membership/state.ts';
import type { Offer } from './offer.ts';
import { Permission } from './permission.ts';
import type { StepLinks } from './step-links.ts';
import { clusterOf, coordinatorOf } from './telling.ts';
import { Refusal } from './transport/refusal.ts';
import { heartbeatMs, troubles, Vigil } from './vigil.ts';
import type { Message, MessageBody } from './wire/messages.ts';

export class Coordinator implements Crew {
  readonly station: Station;
  /** Resolves when it is known from which step the run goes on. */
  readonly opened: Promise<void>;
  readonly #options: CoordinatorOptions;
  readonly #guests: Guests;
  readonly #offer: Offer;
  readonly #stepLinks: StepLinks;
  readonly #member: Member;
  readonly #herald: Herald;
  readonly #vigil: Vigil;
  readonly #timer: NodeJS.Timeout;
  readonly #chronicle = new Chronicle();
  #state: RunState;
  #staleMessages = 0;
  /** Parts of generations begin one after the other. */
  #turn: Promise<void> = Promise.resolve();
  readonly #permission = new Permission();
  /** Open once the run is over. */
  readonly #over = new Gate();
  #homecoming: Homecoming | undefined;

  constructor(options: CoordinatorOptions, { guests, stepLinks }: Connections, offer: Offer, station: Station) {
    this.#options = options;
    this.#guests = guests;
    this.#stepLinks = stepLinks;
    this.#offer = offer;
    this.station = station;
    this.#member = new Member(station, (id, generation, reason) => {
      options.onNews(`the connection to host ${guests.get(id)?.name ?? id} for steps failed: ${reason}`);
      this.#tell({ kind: 'peerLost', id: 0, peer: id, generation });
    });
    const { name, workers, minHosts } = options;
    this.#herald = new Herald({ ...options, guests, member: this.#member });
    this.#state = newRun({ shards: station.plan.spec.shards, minHosts, coordinator: { name, workers, address: '' }, committed: this.#member.committed });
    guests.take({
      onApplied: ({ id, name: host, workers: own, address }) => this.#tell({ kind: 'applied', id, name: host, workers: own, address }),
      onMessage: (guest, message, payload) => this.#receive(guest, message, payload),
      onLost: ({ id }, reason) => this.#tell({ kind: 'lost', id, reason }),
    });
    this.#vigil = new Vigil(guests, this.#member, options.heartbeatTimeoutMs);
    this.#timer = setInterval(() => this.#watch(), heartbeatMs);
    this.opened = this.#open();
  }

  async #open(): Promise<void> {
    const { resume, signal, onNews } = this.#options;
    if (resume) {
      const askForState = (id: number): void => this.#herald.tell(id, { type: 'wantState' });
      this.#homecoming = new Homecoming({ resume, station: this.station, hosts: () => this.#state.hosts, askForState, signal, onNews });
      await this.#homecoming.settled();
    }
    this.#homecoming = undefined;
    this.#tell({ kind: 'prepared', id: 0, holds: this.#member.committed });
  }

  get workers(): number {
    return this.#options.workers + this.#guests.workers;
  }

  get hosts(): number {
    return (this.#options.workers > 0 ? 1 : 0) + this.#guests.count;
  }

  async train(order: TrainOrder): Promise<void> {
    this.#permission.goOn();
    for (;;) {
      await this.#permission.granted(true);
      const rest = this.#permission.endsOrder ? undefined : remaining(order, this.#member.standing, this.#offer.document.training);
      if (!rest) return;
      await this.#work({ ...rest, kind: 'train' });
    }
  }

  async evaluate(): Promise<LossSums> {
    for (;;) {
      await this.#permission.granted(false);
      if ((await this.#work({ kind: 'evaluate' })) === 'finished') return readLossSums(this.station);
    }
  }

  requestStop(): void {
    this.#permission.stop();
    this.requestPause();
  }

  requestPause(): void {
    this.#permission.pause();
    this.station.team.requestStop();
  }

  async end(error?: unknown): Promise<void> {
    const reason = `The run failed: ${error instanceof Error ? error.message : String(error)}`;
    this.#tell(error === undefined ? { kind: 'workDone' } : { kind: 'failed', reason });
    // Hosts finish the step that all agreed to stop after; one that does not is named by its silence.
    while (error === undefined && !this.#over.isOpen) await this.#over.change();
    clearInterval(this.#timer);
    for (const sentence of troubles(this.#options.refusals, this.#staleMessages + this.#stepLinks.stale)) this.#options.onNews(sentence);
    this.#member.recall();
    this.#stepLinks.close();
    await this.#turn.catch(() => {});
    await this.#guests.close();
    await this.#member.end();
  }

  snapshot(): ProcessSnapshot | undefined {
    return coordinatorOf(this.#guests, this.#stepLinks, this.#member, this.#options.refusals);
  }

  cluster(): ClusterSnapshot {
    return clusterOf(this.#state, this.#guests, this.#member, this.#chronicle, this.#staleMessages + this.#stepLinks.stale, steadyNow());
  }

  get network(): NetworkUse {
    const { bytesOut, gradientBytesOut } = this.#member.traffic;
    return { bytesOut: this.#guests.traffic.bytesOut + this.#stepLinks.traffic.bytesOut + bytesOut, gradientBytesOut };
  }

  async #work(command: Exclude<Command, { kind: 'end' }>): ReturnType<Member['obey']> {
    this.#permission.withdraw();
    const { generation } = this.#member;
    this.#tell({ kind: 'workBegan', generation });
    const { kind, ...order } = command;
    this.#chronicle.trains = kind === 'train';
    this.#herald.tellAll(this.#state.members, { type: kind, ...order } as MessageBody);
    const obeyed = await this.#vigil.over(kind, steadyNow, () => this.#member.obey(command));
    if (typeof obeyed === 'object') this.#tell({ kind: 'stumbled', id: 0, generation, ...obeyed });
    this.#tell({ kind: 'boundary', id: 0, generation, committed: this.#member.committed, speed: speedOf(this.#member.rowSeconds) });
    return obeyed;
  }

  #tell(event: MembershipEvent): void {
    if ('generation' in event && event.generation !== this.#state.generation) this.#staleMessages++;
    const { state, effects } = transition(this.#state, event);
    this.#chronicle.note(this.#state, state, effects, performance.now());
    this.#state = state;
    for (const effect of effects) this.#carryOut(effect);
    this.#homecoming?.look();
  }

  #carryOut(effect: Effect): void {
    switch (effect.kind) {
      case 'prepare':
        this.#offer.to(this.#guests.get(effect.id)!.link);
        return;
      case 'stopAtBoundary':
        this.#member.station.team.requestStop();
        return;
      case 'recall':
        this.#member.recall();
        this.#herald.tellAll(this.#state.members, { type: 'recall' });
        return;
      case 'newGeneration':
        this.#permission.withdraw();
        this.#stepLinks.giveUp();
        this.#options.onMembers?.(effect.members.slice(1).map(({ name }) => name));
        this.#herald.proclaim(effect, () => this.#state.generation === effect.generation);
        this.#turn = this.#turn.then(() => this.#enter(effect)).catch((error: unknown) => this.#permission.fail(error));
        return;
      case 'startWork':
        // A stop that was asked for because of membership has been obeyed.
        this.station.team.requestStop(this.#permission.isStopped);
        this.#permission.grant();
        return;
      case 'release':
        this.#herald.tell(effect.id, { type: 'goodbye', message: effect.message });
        this.#guests.dismiss(effect.id);
        return;
      case 'drop':
        this.#guests.dismiss(effect.id, { reason: 'address', message: effect.reason });
        return;
      case 'pause':
        this.#permission.withdraw();
        this.#options.onNews(effect.sentence);
        return;
      case 'announce':
        this.#options.onNews(effect.sentence);
        return;
      case 'end':
        this.#over.open();
        return;
      default:
        effect satisfies never;
    }
  }

  async #enter({ generation, members }: NewGeneration): Promise<void> {
    if (this.#state.generation !== generation) return;
    const place = { generation, members, self: 0, topology: this.#options.topology } as const;
    const ways = await this.#stepLinks.connect(place);
    if ('lost' in ways) {
      if (this.#state.generation === generation) this.#tell({ kind: 'peerLost', id: 0, peer: ways.lost, generation });
      return;
    }
    await this.#member.enter(place, ways);
    this.#tell({ kind: 'ready', id: 0, generation });
  }

  #receive({ id, link }: Guest, message: Message, payload: Uint8Array): void {
    if (message.type === 'prepared') this.#offer.check(message);
    const event = eventOf(id, message);
    if (event) this.#tell(event);
    else if (message.type === 'wantData') void link.sendBulk(this.#offer.pieces(message)).catch(() => {});
    else if (message.type === 'state' && this.#homecoming) this.#homecoming.take(id, message, payload);
    else throw new Refusal('protocol', `Expected a message of a host to the coordinator, got \`${message.type}\`.`);
  }

  /** Sends signs of life, and loses who gives none or keeps the others waiting. */
  #watch(): void {
    this.#herald.beat();
    for (const { guest, sentence } of this.#vigil.look(steadyNow(), this.#state)) {
      this.#chronicle.timedOut(guest.name, phases[guest.signs.ranks[0]?.phase ?? 0] ?? 'data');
      this.#tell({ kind: 'lost', id: guest.id, reason: sentence });
      this.#guests.dismiss(guest.id, { reason: 'timeout', message: sentence });
    }
  }
}
