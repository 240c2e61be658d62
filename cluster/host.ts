/**
 * Room: cluster (level 7). A host that joined: it does what the coordinator says, in the order it says it, and reports. It decides
 * nothing about the run; it checks that it can compute the same bits before it takes part.
 */
import { type ErrorCode, isLockstepError } from '../src/errors.ts';
import { selectKernels } from '../src/kernels/select.ts';
import { modelHash, numericFingerprint } from '../src/local/fingerprint.ts';
import { Recordings } from '../src/local/recordings.ts';
import { Station, type StationOptions } from '../src/local/station.ts';
import type { Recording } from '../src/telemetry/recording.ts';
import { checkAgreement } from './agreement.ts';
import { DataIntake, type IntakeOptions } from './data/intake.ts';
import { Member, rankWorker } from './member.ts';
import { checkRunDocument } from './run-document.ts';
import { StateReceiver, touchState } from './state-transfer.ts';
import type { StepLinks } from './step-links.ts';
import type { Link } from './transport/link.ts';
import { Refusal, type RefusalReason } from './transport/refusal.ts';
import { heartbeatMs } from './vigil.ts';
import { type Message, type MessageBody, type MessageOf, protocolVersion } from './wire/messages.ts';

export interface HostOptions extends IntakeOptions {
  readonly name: string;
  readonly workers: number;
  /** Where other hosts reach this one. */
  readonly address: string;
  /** Where its metrics are reached; empty when it has none. */
  readonly metrics: string;
  readonly stepLinks: StepLinks;
  /** Records the first steps of the ranks here, and is handed them with the id and the name of this host. */
  readonly record?: { readonly steps: number; readonly onRecorded: (id: number, name: string, recordings: readonly Recording[]) => void } | undefined;
  /** Makes a rank fail on purpose, and says when one is taken for stuck; for tests of recovery. @internal */
  readonly fault?: StationOptions['fault'];
  readonly vigil?: StationOptions['vigil'];
  /** Told what runs here once that is known. */
  readonly onMember?: (member: Member, runId: string) => void;
}

/** Twenty heartbeats. */
const coordinatorTimeoutMs = 10_000;

/** One session with a coordinator: from the application to the goodbye, or to the end of the link. */
export class Host {
  readonly #link: Link;
  readonly #options: HostOptions;
  readonly #intake: DataIntake;
  readonly #stateReceiver = new StateReceiver();
  #member: Member | undefined;
  #recordings: Recordings | undefined;
  #heardAt = performance.now();
  #prepared: Pick<MessageOf<'prepared'>, 'modelHash' | 'fingerprint'> | undefined;
  /** What is asked of the ranks is done one after the other. */
  #turn: Promise<void> = Promise.resolve();
  #obeying: Promise<unknown> = Promise.resolve();
  #latestGeneration = 0;
  #end!: (end: SessionEnd) => void;
  readonly ended: Promise<SessionEnd>;

  constructor(link: Link, options: HostOptions) {
    this.#link = link;
    this.#options = options;
    this.#intake = new DataIntake(options);
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    const { name, workers, address, metrics } = options;
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
      this.#send({ type: 'heartbeat', ranks: this.#member?.progress ?? [] });
    }
  }

  /** Asks to be released at the next step boundary. */
  leave(): void {
    this.#send({ type: 'leave' });
  }

  /** Ends ranks and threads. */
  async close(): Promise<void> {
    this.#link.close();
    await this.#member?.end();
    this.#recordings?.handOver(true);
  }

  get member(): Member | undefined {
    return this.#member;
  }

  #wayLost(id: number, generation: number): void {
    this.#link.send({ type: 'peerLost', version: protocolVersion, generation, step: this.#member!.committed, id });
  }

  #send(fields: MessageBody): void {
    this.#link.send({ version: protocolVersion, generation: this.#member?.generation ?? 0, step: this.#member?.committed ?? 0, ...fields } as Message);
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
        this.#options.stepLinks.giveUp();
        this.#stateReceiver.expect(this.#running(), message);
        this.#inTurn(() => this.#enter(message));
        return;
      case 'state':
        this.#stateReceiver.take(this.#running(), message, payload);
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
    if (!this.#member) throw new Refusal('protocol', 'Expected the run before anything that belongs to it, got something earlier.');
    return this.#member;
  }

  /** What fails ends the session with a sentence on both sides. */
  #inTurn(act: () => Promise<void>): void {
    this.#turn = this.#turn.then(act).catch((error: unknown) => this.#fail(error));
  }

  #fail(error: unknown): void {
    if (!isLockstepError(error)) {
      this.#end({ kind: 'failed', error });
      return;
    }
    const reason = error instanceof Refusal ? error.reason : (reasonOf[error.code] ?? 'failure');
    this.#end({ kind: 'failed', error });
    this.#link.close({ reason, message: error.message });
  }

  async #prepare(message: MessageOf<'run'>): Promise<void> {
    const { plan: spec, training } = checkRunDocument(message.spec);
    const kernels = selectKernels(message.kernels);
    const own = { modelHash: modelHash(spec), fingerprint: numericFingerprint(kernels) };
    checkAgreement(message, own);
    if (this.#member) throw new Refusal('protocol', 'Expected one run, got another one.');
    const { workers, record, name, fault, vigil } = this.#options;
    const station = new Station({
      spec: { ...spec, ranks: workers, ...(record && { traceSteps: record.steps }) },
      training,
      kernels,
      changes: true,
      worker: rankWorker,
      ...(fault && { fault }),
      ...(vigil && { vigil }),
    });
    this.#recordings = new Recordings(
      station,
      record && ((recordings) => record.onRecorded(this.#member?.place?.id ?? 0, this.#member?.place?.name ?? name, recordings)),
    );
    this.#member = new Member(station, (id, generation, reason) => {
      this.#options.onNews(`the connection to host ${id} for steps failed: ${reason}`);
      this.#wayLost(id, generation);
    });
    this.#options.onMember?.(this.#member, message.runId);
    await touchState(station);
    const wishes = await this.#intake.begin(message, station);
    this.#prepared = own;
    for (const wish of wishes) this.#send({ type: 'wantData', ...wish });
    this.#options.onNews(`kernels ${kernels.reason}`);
    this.#tellPrepared();
  }

  /** Once everything that was asked for is there. */
  #tellPrepared(): void {
    if (!this.#intake.isComplete || !this.#prepared) return;
    this.#send({ type: 'prepared', ...this.#prepared });
    this.#prepared = undefined;
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

/** What a host that gives up says is in the way. */
const reasonOf: Partial<Record<ErrorCode, RefusalReason>> = {
  LOCKSTEP_DATA: 'data',
  LOCKSTEP_FILE: 'data',
  LOCKSTEP_KERNELS: 'numerics',
  LOCKSTEP_PROTOCOL: 'protocol',
};

/** How a session ended. */
export type SessionEnd =
  | { readonly kind: 'released'; readonly message: string }
  | { readonly kind: 'lost'; readonly reason: string; readonly refusal: Refusal | undefined }
  | { readonly kind: 'failed'; readonly error: unknown };
