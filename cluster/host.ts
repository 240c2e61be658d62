/**
 * Room: cluster (level 7). A host that joined: it does what the coordinator says, in the order it says it, and reports. It decides
 * nothing about the run; it checks that it can compute the same bits before it takes part.
 */
import { DataIntake } from './data/intake.ts';
import type { HostOptions } from './host-options.ts';
import { Household } from './household.ts';
import type { Member } from './member.ts';
import { refusalOf, type SessionEnd } from './session-end.ts';
import { StateReceiver, sendState, touchState } from './state-transfer.ts';
import type { Link } from './transport/link.ts';
import { Refusal } from './transport/refusal.ts';
import { heartbeatMs } from './vigil.ts';
import { type Message, type MessageBody, type MessageOf, protocolVersion } from './wire/messages.ts';

/** Twenty heartbeats. */
const coordinatorTimeoutMs = 10_000;

/** One session with a coordinator: from the application to the goodbye, or to the end of the link. */
export class Host {
  readonly #link: Link;
  readonly #options: HostOptions;
  readonly #intake: DataIntake;
  readonly #stateReceiver = new StateReceiver();
  #household: Household | undefined;
  /** What the session before this one left, until it is known whether it is of the same run. */
  #kept: Household | undefined;
  #heardAt = performance.now();
  /** Data that were asked for may still come. */
  #isPrepared = false;
  /** What is asked of the ranks is done one after the other. */
  #turn: Promise<void> = Promise.resolve();
  #obeying: Promise<unknown> = Promise.resolve();
  #latestGeneration = 0;
  /** What ranks here could not do, if that happened: the state is not to be trusted. */
  #hasFailed = false;
  #end!: (end: SessionEnd) => void;
  readonly ended: Promise<SessionEnd>;

  constructor(link: Link, options: HostOptions) {
    this.#link = link;
    this.#options = options;
    this.#kept = options.kept;
    this.#intake = new DataIntake(options);
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    const { name, address, metrics, kept } = options;
    // A rank that was left out stays so.
    const workers = kept?.member.station.ranks ?? options.workers;
    link.onMessage((message, payload) => this.#receive(message, payload));
    link.onClose((reason) => this.#end({ kind: 'lost', reason, refusal: link.refusal }));
    this.#send({ type: 'apply', name, workers, address, metrics });
    const timer = setInterval(() => this.#beat(), heartbeatMs);
    void this.ended.then(() => clearInterval(timer));
  }

  /** A sign of life; a coordinator that has given none for long is called anew. */
  #beat(): void {
    if (performance.now() - this.#heardAt > coordinatorTimeoutMs) {
      this.#link.close({ reason: 'timeout', message: `Expected a sign of life of the coordinator within ${coordinatorTimeoutMs / 1000} s, got none.` });
    } else {
      this.#send({ type: 'heartbeat', ranks: this.member?.progress ?? [] });
    }
  }

  /** Asks to be released at the next step boundary. */
  leave(): void {
    this.#send({ type: 'leave' });
  }

  /** Ends ranks and threads. */
  async close(): Promise<void> {
    this.#link.close();
    await (this.#household ?? this.#kept)?.close();
  }

  /**
   * After a session that was lost: what this host has of the run, its ranks at rest after the last step for which they had all they need. Undefined,
   * and closed, when that is not to be trusted.
   */
  async keep(): Promise<Household | undefined> {
    this.#link.close();
    this.#options.stepLinks.giveUp();
    this.#stateReceiver.giveUp();
    this.member?.recall();
    await this.#turn;
    await this.#obeying;
    const household = this.#household ?? this.#kept;
    if (household?.hasData && !this.#hasFailed) {
      await household.member.rest();
      return household;
    }
    await this.close();
    return undefined;
  }

  get member(): Member | undefined {
    return this.#household?.member;
  }

  #wayLost(id: number, generation: number): void {
    this.#link.send({ type: 'peerLost', version: protocolVersion, generation, step: this.#running().committed, id });
  }

  #send(fields: MessageBody): void {
    this.#link.send({ version: protocolVersion, generation: this.member?.generation ?? 0, step: this.member?.committed ?? 0, ...fields } as Message);
  }

  #receive(message: Message, payload: Uint8Array): void {
    this.#heardAt = performance.now();
    switch (message.type) {
      case 'run':
        this.#inTurn(() => this.#prepare(message));
        return;
      case 'data':
        this.#intake.take(message, payload);
        this.#tellPrepared();
        return;
      case 'generation':
        this.#latestGeneration = message.generation;
        this.#running();
        this.#household!.generation = message.generation;
        this.#options.stepLinks.giveUp();
        this.#stateReceiver.expect(this.#running(), message);
        this.#inTurn(() => this.#enter(message));
        return;
      case 'state':
        this.#stateReceiver.take(this.#running(), message, payload);
        return;
      case 'wantState':
        if (this.#latestGeneration !== 0) throw new Refusal('protocol', 'Expected to be asked for the state before the first generation, got asked later.');
        // A link that breaks meanwhile tells of itself.
        sendState(this.#running(), this.#link, 0, () => this.#latestGeneration === 0).catch(() => {});
        return;
      case 'train':
      case 'evaluate':
        this.#inTurn(async () => this.#obey(message));
        return;
      case 'recall':
        this.#running().recall();
        this.#inTurn(async () => {
          await this.#obeying;
          this.#send({ type: 'recalled', committed: this.#running().committed });
        });
        return;
      case 'goodbye':
        this.#end({ kind: 'released', message: message.message });
        return;
      case 'heartbeat':
        return;
      default:
        throw new Refusal('protocol', `Expected a message of the coordinator to a host, got \`${message.type}\`.`);
    }
  }

  #running(): Member {
    if (!this.#household) throw new Refusal('protocol', 'Expected the run before anything that belongs to it, got something earlier.');
    return this.#household.member;
  }

  /** What fails ends the session with a sentence on both sides. */
  #inTurn(act: () => Promise<void>): void {
    this.#turn = this.#turn.then(act).catch((error: unknown) => this.#fail(error));
  }

  #fail(error: unknown): void {
    this.#hasFailed = true;
    this.#end({ kind: 'failed', error });
    const refusal = refusalOf(error);
    if (refusal) this.#link.close(refusal);
  }

  async #prepare(message: MessageOf<'run'>): Promise<void> {
    if (this.#household) throw new Refusal('protocol', 'Expected one run, got another one.');
    const kept = this.#kept;
    this.#kept = undefined;
    if (kept?.isOf(message)) {
      this.#settle(kept, message.runId);
    } else {
      await kept?.close();
      const household = new Household(message, this.#options);
      this.#settle(household, message.runId);
      await touchState(household.member.station);
      for (const wish of await this.#intake.begin(message, household.member.station)) this.#send({ type: 'wantData', ...wish });
      this.#options.onNews(`kernels ${household.kernels}`);
    }
    this.#isPrepared = true;
    this.#tellPrepared();
  }

  #settle(household: Household, runId: string): void {
    household.onWayLost = (id, generation, reason) => {
      this.#options.onNews(`the connection to host ${id} for steps failed: ${reason}`);
      this.#wayLost(id, generation);
    };
    this.#household = household;
    this.#options.onMember?.(household.member, runId);
  }

  /** Once everything that was asked for is there. */
  #tellPrepared(): void {
    if (!this.#intake.isComplete || !this.#isPrepared) return;
    const household = this.#household!;
    this.#isPrepared = false;
    household.hasData = true;
    this.#link.send({
      type: 'prepared',
      version: protocolVersion,
      generation: household.generation,
      step: household.member.committed,
      ...household.hashes,
      holds: household.member.committed,
    });
  }

  /** A newer generation makes this one's preparations pointless, and so does the end of the session: another one may link up by now. */
  async #enter(message: MessageOf<'generation'>): Promise<void> {
    const member = this.#running();
    const isLatest = (): boolean => message.generation === this.#latestGeneration && !this.#link.closed;
    if (!isLatest()) return;
    const ways = await this.#options.stepLinks.connect(message);
    if ('lost' in ways) {
      if (isLatest()) this.#wayLost(ways.lost, message.generation);
      return;
    }
    await member.enter(message, ways);
    await this.#stateReceiver.completed();
    if (isLatest()) this.#send({ type: 'ready' });
  }

  #obey(message: MessageOf<'train'> | MessageOf<'evaluate'>): void {
    // Nobody would recall ranks from it.
    if (this.#link.closed) return;
    const member = this.#running();
    const obeying = member.obey(message.type === 'train' ? { ...message, kind: 'train' } : { kind: 'evaluate' });
    this.#obeying = obeying.then(
      (obeyed) => {
        if (obeyed === 'finished') this.#send({ type: 'finished', rowSeconds: Math.min(member.rowSeconds, 1e9) });
        else if (obeyed !== 'recalled') this.#send({ type: 'stumbled', ...obeyed });
      },
      (error: unknown) => this.#fail(error),
    );
  }
}
