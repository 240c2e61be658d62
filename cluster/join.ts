/**
 * Room: cluster (level 7). `lockstep join`: this machine's cores for a coordinator's run, until the run is over, the host is asked
 * to leave, or a mistake that trying again cannot mend. A connection that breaks is made anew.
 */
import { randomInt } from 'node:crypto';
import { isLockstepError } from '../src/errors.ts';
import type { Watched } from '../src/local/monitor.ts';
import { resultingWeights } from '../src/model/result.ts';
import { weightsHash } from '../src/model/weights.ts';
import type { HostEndEvent } from '../src/telemetry/events.ts';
import type { ProcessSnapshot } from '../src/telemetry/snapshot.ts';
import { Host } from './host.ts';
import type { HostOptions } from './host-options.ts';
import type { Household } from './household.ts';
import type { Member } from './member.ts';
import { throwIfFinal } from './session-end.ts';
import { StepLinks, type StepLinksOptions } from './step-links.ts';
import { processOf } from './telling.ts';
import { backoff, dial } from './transport/dial.ts';
import { addLinkTraffic, noLinkTraffic } from './transport/link-traffic.ts';
import { type ListenOptions, listen } from './transport/listen.ts';
import { Refusal } from './transport/refusal.ts';

export interface JoinOptions
  extends Pick<HostOptions, 'name' | 'workers' | 'dataFolder' | 'cacheFolder' | 'onNews' | 'record' | 'fault' | 'vigil'>,
    Pick<StepLinksOptions, 'token' | 'tlsCa'> {
  /** The own certificate, for links of other hosts. */
  readonly tls?: ListenOptions['tls'];
  /** ws://HOST:PORT or wss://HOST:PORT of the coordinator. */
  readonly url: string;
  /** Where links of other hosts are accepted; port 0 is a free one. */
  readonly meshListen: { readonly host: string; readonly port: number };
  /** HOST:PORT by which other hosts reach it, where that is not the address that the coordinator sees. */
  readonly advertise?: string | undefined;
  /** HOST:PORT, or :PORT of this machine, where this process tells its metrics; absent: nowhere. */
  readonly metrics?: string | undefined;
  /** Told what there is to watch, once it is known, and again when the connection was made anew. */
  readonly onWatched?: ((watched: WatchedHost) => void) | undefined;
  /** Aborting asks to be released at the next step boundary. */
  readonly signal?: AbortSignal | undefined;
}

/** A host's part of a run, for whoever watches it. */
export interface WatchedHost extends Watched {
  readonly run: string;
  readonly layers: readonly string[];
  readonly parameters: number;
  readonly kernels: string;
  /** What it is called among the hosts of the run. */
  readonly name: () => string;
}

export interface JoinEnd {
  /** Why the coordinator let this host go. */
  readonly message: string;
  /** Absent when it never took part. */
  readonly event?: HostEndEvent;
}

/** Resolves when the coordinator released this host. Throws LOCKSTEP_NETWORK and what else ends a host for good. */
export async function join(options: JoinOptions): Promise<JoinEnd> {
  const { url, token, tlsCa, signal, onNews, advertise, meshListen, metrics = '', onWatched } = options;
  let host: Host | undefined;
  let kept: Household | undefined;
  let controlBefore = noLinkTraffic;
  let connections = 0;
  const refusedPeers: Record<string, number> = {};
  const stepLinks = new StepLinks({ token, tls: options.tls, tlsCa, coordinatorUrl: url, onNews });
  const listener = await listen({
    ...meshListen,
    token,
    tls: options.tls,
    onPeer(link, peer) {
      if (peer.role === 'peer') stepLinks.adopt(link, peer);
      else link.close({ reason: 'address', message: 'Expected the link of another host, got a host that wants to join; join at the address of the coordinator.' });
    },
    onRefused: (reason, message, remote) => {
      refusedPeers[reason] = (refusedPeers[reason] ?? 0) + 1;
      onNews(`refused ${remote} (${reason}): ${message}`);
    },
  });
  const leave = (): void => host?.leave();
  signal?.addEventListener('abort', leave);
  try {
    for (let attempt = 0; ; attempt++) {
      try {
        const link = await dial(url, { role: 'host', id: 0, token, tlsCa, signal });
        onNews(`connected to ${url}`);
        stepLinks.startOver();
        connections++;
        const snapshot = (member: Member): ProcessSnapshot | undefined => {
          const control = addLinkTraffic(controlBefore, link.traffic);
          const facts = { control, steps: stepLinks.traffic, traffic: member.traffic, sendQueueBytes: link.queuedBytes, reconnects: connections - 1, refusedPeers };
          return processOf(member, facts);
        };
        const onMember = (member: Member, run: string): void =>
          onWatched?.({
            run,
            layers: member.station.plan.topology.layers.map(({ name }) => name),
            parameters: member.station.plan.topology.weights.reduce((sum, { size }) => sum + size, 0),
            kernels: member.station.kernels.set,
            name: () => member.place?.name ?? options.name,
            snapshot: () => snapshot(member),
            observe: () => member.station.team.observe(),
          });
        host = new Host(link, { ...options, metrics, onMember, stepLinks, kept, address: advertise ?? `:${listener.port}` });
        if (signal?.aborted) host.leave();
        const began = performance.now();
        const end = await host.ended;
        const { member } = host;
        kept = undefined;
        if (end.kind === 'lost' && !end.refusal?.final) kept = await host.keep();
        else await host.close();
        controlBefore = addLinkTraffic(controlBefore, link.traffic);
        if (end.kind === 'released')
          return {
            message: end.message,
            ...(member && { event: endOf(member, (performance.now() - began) / 1000, controlBefore.bytesOut + stepLinks.traffic.bytesOut) }),
          };
        throwIfFinal(end);
        onNews(end.kind === 'lost' ? `the connection was lost: ${end.reason}` : `joins again without its state: ${(end.error as Error).message}`);
        if (member) attempt = 0;
      } catch (error) {
        if (signal?.aborted && isLockstepError(error) && error.code === 'LOCKSTEP_NETWORK') return { message: 'Gave up before it took part.' };
        if (!isLockstepError(error) || error.code !== 'LOCKSTEP_NETWORK' || (error instanceof Refusal && error.final) || isMistrust(error)) throw error;
        onNews(error.message);
      }
      const delay = backoff(attempt, randomInt(2 ** 16) / 2 ** 16);
      onNews(`trying again in ${(delay / 1000).toFixed(1)} s`);
      await pause(delay, signal);
      if (signal?.aborted) return { message: 'Gave up before it took part.' };
    }
  } finally {
    signal?.removeEventListener('abort', leave);
    await host?.close();
    stepLinks.close();
    await listener.close();
  }
}

function endOf({ station, committed, traffic }: Member, seconds: number, bytesOut: number): HostEndEvent {
  const { plan, arena } = station;
  const weightsSha256 = weightsHash(resultingWeights(plan, arena, station.training.optimizer));
  return { event: 'end', steps: committed, seconds, weightsSha256, network: { bytesOut: bytesOut + traffic.bytesOut, gradientBytesOut: traffic.gradientBytesOut } };
}

/** A certificate that is not trusted today will not be in a second; nor will a plain port speak TLS, or the other way round. */
function isMistrust({ cause }: Error): boolean {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  return /CERT|ERR_TLS|ERR_SSL|EPROTO/.test(code);
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener('abort', end);
  });
}
