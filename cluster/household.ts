/**
 * Room: cluster (level 7). What a host has of a run: its ranks, the data and the state of the last step that was committed here. It outlives the
 * session with a coordinator, so that one that is started again finds what it lost, and a connection that broke costs no data and
 * mostly no state.
 */
import { hashOf } from '../src/config/canonical.ts';
import { selectKernels } from '../src/kernels/select.ts';
import { modelHash, numericFingerprint } from '../src/local/fingerprint.ts';
import { Recordings } from '../src/local/recordings.ts';
import { Station, type StationOptions } from '../src/local/station.ts';
import type { Recording } from '../src/telemetry/recording.ts';
import { checkAgreement } from './agreement.ts';
import { Member, type OnWayLost, rankWorker } from './member.ts';
import { checkRunDocument } from './run-document.ts';
import type { MessageOf } from './wire/messages.ts';

export interface HouseholdOptions {
  readonly name: string;
  readonly workers: number;
  /** Records the first steps of the ranks here, and is handed them with the id and the name of this host. */
  readonly record?: { readonly steps: number; readonly onRecorded: (id: number, name: string, recordings: readonly Recording[]) => void } | undefined;
  /** Makes a rank fail on purpose, and says when one is taken for stuck; for tests of recovery. @internal */
  readonly fault?: StationOptions['fault'];
  readonly vigil?: StationOptions['vigil'];
}

export class Household {
  readonly member: Member;
  /** Why these kernels. */
  readonly kernels: string;
  /** What this host says to be sure that it computes the same. */
  readonly hashes: Pick<MessageOf<'prepared'>, 'modelHash' | 'fingerprint'>;
  /** True once all data of the run are here. */
  hasData = false;
  /** Told by the session that there is now. */
  onWayLost: OnWayLost = () => {};
  /** The highest generation that this host has heard of. */
  generation = 0;
  readonly #identity: string;
  readonly #recordings: Recordings;

  /** For the run that a coordinator described. Throws LOCKSTEP_PROTOCOL, LOCKSTEP_KERNELS, and a Refusal when it could not compute the same bits. */
  constructor(run: MessageOf<'run'>, { name, workers, record, fault, vigil }: HouseholdOptions) {
    const { plan: spec, training } = checkRunDocument(run.spec);
    const kernels = selectKernels(run.kernels);
    this.kernels = kernels.reason;
    this.hashes = { modelHash: modelHash(spec), fingerprint: numericFingerprint(kernels) };
    checkAgreement(run, this.hashes);
    this.#identity = identityOf(run);
    const station = new Station({
      spec: { ...spec, ranks: workers, ...(record && { traceSteps: record.steps }) },
      training,
      kernels,
      changes: true,
      worker: rankWorker,
      ...(fault && { fault }),
      ...(vigil && { vigil }),
    });
    this.member = new Member(station, (...lost) => this.onWayLost(...lost));
    const { member } = this;
    this.#recordings = new Recordings(station, record && ((recordings) => record.onRecorded(member.place?.id ?? 0, member.place?.name ?? name, recordings)));
  }

  /** True when all that is here belongs to the run that a coordinator describes. */
  isOf(run: MessageOf<'run'>): boolean {
    return this.hasData && this.#identity === identityOf(run);
  }

  /** Ends ranks and threads. */
  async close(): Promise<void> {
    await this.member.end();
    this.#recordings.handOver(true);
  }
}

/** Where data come from does not matter, what they are does. */
function identityOf({ runId, spec, modelHash: model, kernels, fingerprint, mixedNumerics, train, validation }: MessageOf<'run'>): string {
  return hashOf({ runId, spec, model, kernels, fingerprint, mixedNumerics, train: train.sha256, validation: validation?.sha256 ?? null });
}
