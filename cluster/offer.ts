/**
 * Room: cluster (level 7). What the coordinator offers hosts: the run as a document, the hashes by which they can be sure that it is
 * the same for everybody, and the data in chunks.
 */
import type { DataDescription } from '../src/config/run.ts';
import { modelHash, numericFingerprint } from '../src/local/fingerprint.ts';
import type { Station } from '../src/local/station.ts';
import type { TrainingSpec } from '../src/train/rank.ts';
import { checkAgreement } from './agreement.ts';
import { dataPieces } from './data/fetch.ts';
import { type Manifest, makeManifest, type StoredData } from './data/manifest.ts';
import { describeData } from './data/own-copy.ts';
import { type RunDocument, runDocument } from './run-document.ts';
import type { BulkPiece } from './transport/bulk-queue.ts';
import type { Link } from './transport/link.ts';
import { Refusal } from './transport/refusal.ts';
import { type MessageOf, protocolVersion } from './wire/messages.ts';

export interface OfferOptions {
  readonly runId: string;
  readonly station: Station;
  readonly training: TrainingSpec;
  readonly mixedNumerics: boolean;
  /** The config's data, for hosts that have copies of their own; absent when a program brought them. */
  readonly description?: DataDescription | undefined;
}

interface OfferedSets {
  readonly train: OfferedSet;
  readonly validation: OfferedSet | undefined;
}

interface OfferedSet {
  readonly data: StoredData;
  readonly manifest: Manifest;
  /** What a host with an own copy looks for; null when the data came from a program. */
  readonly source: DataDescription | null;
}

const envelope = { version: protocolVersion, generation: 0, step: 0 } as const;

export class Offer {
  readonly document: RunDocument;
  readonly #run: MessageOf<'run'>;
  readonly #sets: OfferedSets;

  private constructor({ runId, station, training, mixedNumerics }: OfferOptions, sets: OfferedSets) {
    const { plan, kernels } = station;
    this.document = runDocument(plan.spec, training);
    this.#sets = sets;
    const { train, validation } = sets;
    this.#run = {
      ...envelope,
      type: 'run',
      runId,
      spec: this.document,
      modelHash: modelHash(plan.spec),
      kernels: kernels.set,
      fingerprint: numericFingerprint(kernels),
      mixedNumerics,
      train: { ...train.manifest, source: train.source },
      ...(validation && { validation: { ...validation.manifest, source: validation.source } }),
    };
  }

  /** Hashes the data, which must be in the station's arena. */
  static async make(options: OfferOptions): Promise<Offer> {
    const { station, description } = options;
    const source = description ? describeData(description) : null;
    const { arena, plan } = station;
    const offered = async (set: 'train' | 'validation'): Promise<OfferedSet | undefined> => {
      const place = plan[set];
      if (!place) return undefined;
      const data = { arena, place };
      return { data, manifest: await makeManifest(data), source };
    };
    return new Offer(options, { train: (await offered('train'))!, validation: await offered('validation') });
  }

  to(link: Link): void {
    link.send(this.#run);
  }

  /** The pieces of the chunks that a host asks for. */
  pieces({ set, chunks }: MessageOf<'wantData'>): () => BulkPiece | undefined {
    const offered = this.#sets[set];
    if (!offered) throw new Refusal('protocol', `Expected a wish for data of the run, got one for \`${set}\`, which it has not.`);
    const next = dataPieces({ set, data: offered.data, manifest: offered.manifest }, chunks);
    return () => {
      const piece = next();
      if (!piece) return undefined;
      const { payload, ...fields } = piece;
      return { message: { ...envelope, type: 'data', ...fields }, payload };
    };
  }

  /** Throws a Refusal when a host has another model or computes other bits. */
  check(prepared: MessageOf<'prepared'>): void {
    checkAgreement(this.#run, prepared);
  }
}
