/**
 * Room: cluster (level 7). A host that joined: it does what the coordinator says, in the order it says it, and reports. It decides
 * nothing about the run; it checks that it can compute the same bits before it takes part.
 */
import { LockstepError, isLockstepError } from '../src/errors.ts';
import { selectKernels } from '../src/kernels/select.ts';
import type { RunPlan } from '../src/model/plan.ts';
import { Station } from '../src/local/station.ts';
import { openCache } from './data/cache.ts';
import { DataReceiver, type SetName } from './data/fetch.ts';
import { checkManifest, type Manifest, type StoredData } from './data/manifest.ts';
import { loadOwnCopy } from './data/own-copy.ts';
import { isStepMessage } from './exchange.ts';
import { modelHash, numericFingerprint } from './fingerprint.ts';
import { Member } from './member.ts';
import { type Mesh, PeerLost } from './mesh.ts';
import { checkRunDocument } from './run-document.ts';
import type { Link } from './transport/link.ts';
import { Refusal } from './transport/refusal.ts';
import { type Message, type MessageOf, protocolVersion } from './wire/messages.ts';

export interface HostOptions {
  readonly name: string;
  readonly workers: number;
  /** Where other hosts reach this one's mesh. */
  readonly address: string;
  readonly mesh: Mesh;
  readonly dataFolder?: string | undefined;
  readonly cacheFolder?: string | undefined;
  /** A line for the user. */
  readonly onNews: (sentence: string) => void;
}

/** Twice in the time after which anybody would miss them, many times over. */
export const heartbeatMs = 500;

/** One session with a coordinator: from the application to the goodbye, or to the end of the link. */
export class Host {
  readonly #link: Link;
  readonly #options: HostOptions;
  readonly #receivers = new Map<SetName, DataReceiver>();
  #member: Member | undefined;
  #prepared: Pick<MessageOf<'prepared'>, 'modelHash' | 'fingerprint'> | undefined;
  /** What is asked of the ranks is done one after the other. */
  #turn: Promise<void> = Promise.resolve();
  #obeying: Promise<unknown> = Promise.resolve();
  #stateBytesDue = 0;
  #stateComplete: (() => void) | undefined;
  #latestGeneration = 0;
  #end!: (end: SessionEnd) => void;
  readonly ended: Promise<SessionEnd>;

  constructor(link: Link, options: HostOptions) {
    this.#link = link;
    this.#options = options;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    const { name, workers, address, dataFolder } = options;
    link.onMessage((message, payload) => this.#receive(message, payload));
    link.onClose((reason) => this.#end({ kind: 'lost', reason, refusal: link.refusal }));
    this.#send({ type: 'apply', name, workers, address, dataFolder: dataFolder !== undefined });
    const timer = setInterval(() => this.#send({ type: 'heartbeat', ranks: this.#member?.progress ?? [] }), heartbeatMs);
    void this.ended.then(() => clearInterval(timer));
  }

  /** Asks to be released at the next step boundary. */
  leave(): void {
    this.#send({ type: 'leave' });
  }

  /** Ends ranks and threads. */
  async close(): Promise<void> {
    this.#member?.recall();
    this.#link.close();
    await this.#member?.station.team.end();
  }

  get member(): Member | undefined {
    return this.#member;
  }

  /** A step message of another host of the mesh. */
  receiveFromPeer(from: number, message: Message, payload: Uint8Array): void {
    if (isStepMessage(message)) this.#member?.receive(from, message, payload);
    else throw new Refusal('protocol', `Expected messages of a step between hosts, got \`${message.type}\`.`);
  }

  peerLost(id: number): void {
    this.#send({ type: 'peerLost', id });
  }

  #send(fields: Fields): void {
    this.#link.send({ version: protocolVersion, generation: this.#member?.generation ?? 0, step: this.#member?.committed ?? 0, ...fields } as Message);
  }

  #receive(message: Message, payload: Uint8Array): void {
    if (isStepMessage(message)) {
      this.#member?.receive(0, message, payload);
      return;
    }
    switch (message.type) {
      case 'run':
        this.#inTurn(() => this.#prepare(message));
        return;
      case 'data':
        this.#takeData(message, payload);
        return;
      case 'generation':
        this.#latestGeneration = message.generation;
        // Whoever awaits the state of an earlier generation awaits it in vain.
        this.#stateComplete?.();
        this.#stateBytesDue = message.receivesState ? stateBytes(this.#running()) : 0;
        this.#inTurn(() => this.#enter(message));
        return;
      case 'state':
        this.#takeState(message, payload);
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
    const reason = error instanceof Refusal ? error.reason : 'failure';
    this.#end({ kind: 'failed', error });
    this.#link.close({ reason, message: error.message });
  }

  async #prepare(message: MessageOf<'run'>): Promise<void> {
    const { plan: spec, training } = checkRunDocument(message.spec);
    const kernels = selectKernels(message.kernels);
    const own = { modelHash: modelHash(spec), fingerprint: numericFingerprint(kernels) };
    if (own.modelHash !== message.modelHash) {
      throw new Refusal('model', `Expected the model with the hash ${message.modelHash.slice(0, 12)} from its config, got ${own.modelHash.slice(0, 12)}; run the same version of Lockstep on all hosts.`);
    }
    if (own.fingerprint !== message.fingerprint && !message.mixedNumerics) throw differentNumerics(message.fingerprint, own.fingerprint);
    if (this.#member) throw new Refusal('protocol', 'Expected one run, got another one.');
    const station = new Station({ spec: { ...spec, ranks: this.#options.workers }, training, kernels, changes: true });
    this.#member = new Member(station);
    this.#prepared = own;
    const sets = { train: message.train, validation: message.validation };
    for (const set of ['train', 'validation'] as const) {
      const manifest = sets[set];
      const place = station.plan[set];
      if (!manifest !== !place) throw new Refusal('protocol', `Expected a manifest of the data set \`${set}\` exactly when the plan has one.`);
      if (manifest && place) await this.#getData(set, manifest, { arena: station.arena, place }, manifest.source);
    }
    this.#options.onNews(`kernels ${kernels.reason}`);
    this.#tellPrepared();
  }

  async #getData(set: SetName, { sha256, bytes, chunks }: Manifest, data: StoredData, description: unknown): Promise<void> {
    const manifest = { sha256, bytes, chunks };
    checkManifest(manifest, data.place.spec);
    const { dataFolder, cacheFolder, onNews } = this.#options;
    if (dataFolder !== undefined) {
      if (description === null) throw new LockstepError('LOCKSTEP_DATA', `Expected data that a config describes for --data-dir, but the run's ${set} data are the coordinator's own; join without --data-dir.`);
      await loadOwnCopy({ folder: dataFolder, description, manifest, data });
      return;
    }
    const cache = cacheFolder === undefined ? undefined : await openCache({ folder: cacheFolder, manifest, onWarning: onNews });
    const receiver = new DataReceiver({ set, manifest, data, cache });
    await receiver.takeCached();
    if (receiver.isComplete) return;
    this.#receivers.set(set, receiver);
    this.#send({ type: 'wantData', set, chunks: receiver.missing });
  }

  #takeData({ set, chunk, offset }: MessageOf<'data'>, payload: Uint8Array): void {
    const receiver = this.#receivers.get(set);
    if (!receiver) throw new Refusal('protocol', `Expected no data of \`${set}\`, got a piece.`);
    receiver.accept({ set, chunk, offset, payload });
    if (!receiver.isComplete) return;
    this.#receivers.delete(set);
    this.#tellPrepared();
  }

  /** Once everything that was asked for is there. */
  #tellPrepared(): void {
    if (this.#receivers.size > 0 || !this.#prepared) return;
    this.#send({ type: 'prepared', ...this.#prepared });
    this.#prepared = undefined;
  }

  /** A newer generation makes this one's preparations pointless. */
  async #enter(message: MessageOf<'generation'>): Promise<void> {
    const member = this.#running();
    const isLatest = (): boolean => message.generation === this.#latestGeneration;
    if (!isLatest()) return;
    const { mesh } = this.#options;
    const { members, self, topology } = message;
    try {
      if (topology === 'mesh') await mesh.connect(members, self);
    } catch (error) {
      if (!(error instanceof PeerLost)) throw error;
      if (isLatest()) this.#link.send({ type: 'peerLost', version: protocolVersion, generation: message.generation, step: member.committed, id: error.id });
      return;
    }
    await member.enter(message, (index) => (members[index]!.id === 0 ? this.#link : mesh.linkTo(members[index]!.id)));
    if (this.#stateBytesDue > 0) {
      await new Promise<void>((resolve) => {
        this.#stateComplete = resolve;
      });
    }
    if (isLatest()) this.#send({ type: 'ready' });
  }

  /** The pieces come in order; ranks stand until the last one is here. */
  #takeState({ offset, step, generation }: MessageOf<'state'>, payload: Uint8Array): void {
    const member = this.#running();
    if (generation !== this.#latestGeneration) return;
    const { arena, plan } = member.station;
    const due = stateBytes(member) - this.#stateBytesDue;
    if (this.#stateBytesDue === 0 || offset !== due || payload.length === 0 || payload.length > this.#stateBytesDue) {
      throw new Refusal('protocol', `Expected byte ${due} of the state, got ${payload.length} bytes at byte ${offset}.`);
    }
    arena.u8.set(payload, plan.state.from + offset);
    this.#stateBytesDue -= payload.length;
    if (this.#stateBytesDue > 0) return;
    member.stand(step);
    this.#stateComplete?.();
  }

  #obey(message: MessageOf<'train'> | MessageOf<'evaluate'>): void {
    const member = this.#running();
    const obeying = member.obey(message.type === 'train' ? { ...message, kind: 'train' } : { kind: 'evaluate' });
    this.#obeying = obeying.then(
      (obeyed) => {
        if (obeyed === 'finished') this.#send({ type: 'finished', rowSeconds: Math.min(member.rowSeconds, 1e9) });
      },
      (error: unknown) => this.#fail(error),
    );
  }
}

/** How a session ended. */
export type SessionEnd =
  | { readonly kind: 'released'; readonly message: string }
  | { readonly kind: 'lost'; readonly reason: string; readonly refusal: Refusal | undefined }
  | { readonly kind: 'failed'; readonly error: unknown };

type Fields = Message extends infer M ? (M extends Message ? Omit<M, 'version' | 'generation' | 'step'> : never) : never;

export function differentNumerics(expected: string, received: string): Refusal {
  return new Refusal(
    'numerics',
    `Expected a host that computes the same bits, with the numeric fingerprint ${expected.slice(0, 12)}, got ${received.slice(0, 12)}; use the kernels "wasm", which compute the same everywhere, or allow it with --allow-mixed-numerics.`,
  );
}

function stateBytes({ station }: Member): number {
  const { from, to }: RunPlan['state'] = station.plan.state;
  return to - from;
}
