/**
 * Room: cluster (level 7), data. A host's way to a run's data sets: its own copy, its cache, or the coordinator's pieces, in this
 * order. A set is taken only when it has the hash that the run names.
 */
import { canonicalJson } from '../../src/config/canonical.ts';
import type { Sets } from '../../src/data/sets.ts';
import { LockstepError } from '../../src/errors.ts';
import type { Station } from '../../src/local/station.ts';
import { Refusal } from '../transport/refusal.ts';
import type { MessageOf } from '../wire/messages.ts';
import { openCache } from './cache.ts';
import { DataReceiver, type SetName } from './fetch.ts';
import { checkManifest, type StoredData } from './manifest.ts';
import { loadOwnCopy, openOwnCopy } from './own-copy.ts';

export interface IntakeOptions {
  /** `--data-dir`: this host's own copy. */
  readonly dataFolder?: string | undefined;
  readonly cacheFolder?: string | undefined;
  /** A line for the user. */
  readonly onNews: (sentence: string) => void;
}

export class DataIntake {
  readonly #options: IntakeOptions;
  readonly #receivers = new Map<SetName, DataReceiver>();
  /** The own copy that was opened last; forgotten when all of it is in the arena. */
  #own: { readonly description: string; readonly sets: Promise<Sets> } | undefined;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  get isComplete(): boolean {
    return this.#receivers.size === 0;
  }

  /** Takes what this machine has, and returns what is to be asked for. Throws LOCKSTEP_DATA, LOCKSTEP_FILE or LOCKSTEP_PROTOCOL. */
  async begin({ train, validation }: Pick<MessageOf<'run'>, 'train' | 'validation'>, { plan, arena }: Station): Promise<Pick<MessageOf<'wantData'>, 'set' | 'chunks'>[]> {
    const wishes: Pick<MessageOf<'wantData'>, 'set' | 'chunks'>[] = [];
    for (const [set, offered] of [
      ['train', train],
      ['validation', validation],
    ] as const) {
      const place = plan[set];
      if (!offered !== !place) throw new Refusal('protocol', `Expected a manifest of the data set \`${set}\` exactly when the plan has one.`);
      if (offered && place && !(await this.#takeOwn(set, offered, { arena, place }))) wishes.push({ set, chunks: this.#receivers.get(set)!.missing });
    }
    this.#own = undefined;
    return wishes;
  }

  /** A piece from the coordinator. Throws LOCKSTEP_PROTOCOL when it is not one that was asked for. */
  take({ set, chunk, offset }: MessageOf<'data'>, payload: Uint8Array): void {
    const receiver = this.#receivers.get(set);
    if (!receiver) throw new Refusal('protocol', `Expected no data of \`${set}\`, got a piece.`);
    receiver.accept({ set, chunk, offset, payload });
    if (receiver.isComplete) this.#receivers.delete(set);
  }

  /** True when the set is here without the coordinator's help. */
  async #takeOwn(set: SetName, offered: MessageOf<'run'>['train'], data: StoredData): Promise<boolean> {
    const { sha256, bytes, chunks, source } = offered;
    const manifest = { sha256, bytes, chunks: [...chunks] };
    checkManifest(manifest, data.place.spec);
    const { dataFolder, cacheFolder, onNews } = this.#options;
    if (dataFolder !== undefined) {
      if (source === null) {
        throw new LockstepError(
          'LOCKSTEP_DATA',
          `Expected data that a config describes for --data-dir, but the run's ${set} data are a program's own; join without --data-dir.`,
        );
      }
      // Both sets come of one description: what is read for one serves the other.
      const description = canonicalJson(source);
      if (this.#own?.description !== description) this.#own = { description, sets: openOwnCopy(source, dataFolder) };
      const own = (await this.#own.sets)[set];
      if (!own) throw new Refusal('protocol', `Expected a description of the data set \`${set}\`, got one without it.`);
      await loadOwnCopy({ folder: dataFolder, source: own, manifest, data });
      return true;
    }
    const cache = cacheFolder === undefined ? undefined : await openCache({ folder: cacheFolder, manifest, onWarning: onNews });
    const receiver = new DataReceiver({ set, manifest, data, cache });
    await receiver.takeCached();
    if (receiver.isComplete) return true;
    this.#receivers.set(set, receiver);
    return false;
  }
}
