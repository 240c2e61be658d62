/**
 * Room: cluster (level 7). `lockstep train --listen`: opens the door, waits for as many hosts as the run needs to be planned, and
 * makes the crew that `train()` works with.
 */
import { availableParallelism } from 'node:os';
import { field } from '../src/config/rules.ts';
import type { DataDescription } from '../src/config/run.ts';
import { LockstepError } from '../src/errors.ts';
import type { OpenCrew } from '../src/local/crew.ts';
import { noteRun } from '../src/local/run-directory.ts';
import { openStation } from '../src/local/session.ts';
import { Coordinator } from './coordinator.ts';
import type { CoordinatorOptions } from './coordinator-options.ts';
import { Gate } from './gate.ts';
import { Guests } from './guests.ts';
import { rankWorker } from './member.ts';
import { Offer } from './offer.ts';
import { StepLinks } from './step-links.ts';
import { type ListenOptions, listen } from './transport/listen.ts';
import type { RefusalReason } from './transport/refusal.ts';

export interface ServeOptions extends Pick<ListenOptions, 'host' | 'port' | 'token' | 'tls'>, Omit<CoordinatorOptions, 'workers' | 'refusals'> {
  /** What the run is called. */
  readonly runId: string;
  /** 0: no shards are computed here; absent: one worker a core. */
  readonly workers?: number | undefined;
  readonly mixedNumerics?: boolean;
  /** The config's data, for hosts that have copies of their own. */
  readonly description?: DataDescription | undefined;
  readonly onListening: (address: { readonly host: string; readonly port: number }) => void;
}

/** Every host has all rows in memory: they come to it from another one. Looks at configs before they are opened, and at sources of any kind. */
function refuseStreaming({ train, validation }: { readonly train?: object | undefined; readonly validation?: object | undefined }): void {
  for (const [place, data] of Object.entries({ 'data.train': train, 'data.validation': validation })) {
    if (field(data, 'streaming') !== true && field(data, 'rowFile') === undefined) continue;
    throw new LockstepError(
      'LOCKSTEP_CONFIG',
      `Expected data in memory for a run on several hosts, got \`streaming\` in \`${place}\`; leave it out, or train on one machine.`,
    );
  }
}

/** Makes `train()` run on this machine and on all that join. */
export function serve(options: ServeOptions): OpenCrew {
  const { onNews, onListening, signal, minHosts, workers = availableParallelism() } = options;
  const refusals = new Map<RefusalReason, number>();
  refuseStreaming(options.description ?? {});

  function refused(reason: RefusalReason, message: string, remote: string): void {
    refusals.set(reason, (refusals.get(reason) ?? 0) + 1);
    onNews(`refused ${remote} (${reason}): ${message}`);
  }

  return async (session) => {
    refuseStreaming(session);
    const change = new Gate();
    const wake = (): void => change.nudge();
    const guests = new Guests(options.name, wake, () => listener.close());
    const stepLinks = new StepLinks({ onNews });
    const listener = await listen({
      ...options,
      onPeer(link, peer) {
        // Hosts that cannot take part say so themselves.
        link.onClose(() => {
          if (link.refusal?.by === 'peer') refused(link.refusal.reason, link.refusal.message, link.remote);
        });
        if (peer.role === 'host') guests.welcome(link);
        else stepLinks.adopt(link, peer);
      },
      onRefused: refused,
    });
    signal?.addEventListener('abort', wake);
    try {
      onListening(listener);
      const present = (): number => (workers > 0 ? 1 : 0) + guests.count;
      // Without `shards` the first hosts decide how many there are.
      while (session.settings.shards === undefined && present() < Math.max(1, minHosts) && !signal?.aborted) await change.change();
      if (signal?.aborted) throw new LockstepError('LOCKSTEP_NETWORK', `Expected ${minHosts} hosts, got interrupted while waiting for them; nothing was trained.`);
      const shards = session.settings.shards ?? Math.min(workers + guests.workers, session.training.batchSize);
      const station = openStation({ ...session, settings: { ...session.settings, workers: Math.max(1, workers), shards } }, { worker: rankWorker });
      const offer = await Offer.make({
        runId: session.directory?.runId ?? options.runId,
        station,
        training: session.training,
        mixedNumerics: options.mixedNumerics ?? false,
        description: options.description,
      });
      const { directory } = session;
      const kept = directory && {
        ...(directory.resumes && { resume: { expected: directory.hosts } }),
        onMembers: (hosts: readonly string[]) => noteRun(directory, { shards, hosts }, onNews),
      };
      const coordinator = new Coordinator({ ...options, ...kept, workers, refusals }, { guests, stepLinks }, offer, station);
      await coordinator.opened;
      return coordinator;
    } catch (error) {
      await guests.close();
      throw error;
    } finally {
      signal?.removeEventListener('abort', wake);
    }
  };
}
