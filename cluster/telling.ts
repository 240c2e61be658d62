/**
 * Room: cluster (level 7). What the processes of a run have to tell of themselves: plain data, made from what they hold when somebody asks.
 */
import { snapshotOf } from '../src/local/snapshot.ts';
import type { ClusterSnapshot, HostSnapshot, NetworkSnapshot, ProcessSnapshot } from '../src/telemetry/snapshot.ts';
import type { Traffic } from '../src/telemetry/traffic.ts';
import type { Chronicle } from './chronicle.ts';
import type { Guests } from './guests.ts';
import type { Member } from './member.ts';
import type { RunState } from './membership/state.ts';
import type { StepLinks } from './step-links.ts';
import type { LinkTraffic } from './transport/link-traffic.ts';
import { noRefusals } from './transport/refusal.ts';

interface NetworkFacts {
  /** Of links for control, and of links for steps as far as main threads carry. */
  readonly control: LinkTraffic;
  readonly steps: LinkTraffic;
  /** Of what leaders carry. */
  readonly traffic: Traffic;
  readonly sendQueueBytes: number;
  readonly reconnects: number;
  readonly refusedPeers: Readonly<Record<string, number>>;
}

function networkOf({ control, steps, traffic, sendQueueBytes, reconnects, refusedPeers }: NetworkFacts): NetworkSnapshot {
  return {
    controlBytes: [control.bytesIn, control.bytesOut],
    controlMessages: [control.messagesIn, control.messagesOut],
    stepBytes: [steps.bytesIn + traffic.bytesIn, steps.bytesOut + traffic.bytesOut],
    stepMessages: [steps.messagesIn + traffic.messagesIn, steps.messagesOut + traffic.messagesOut],
    gradientBytesOut: traffic.gradientBytesOut,
    sendQueueBytes,
    reconnects,
    refusedPeers: { ...noRefusals, ...refusedPeers },
  };
}

/** Of a process; undefined before its first generation, when ranks have no memory to work in. */
export function processOf(member: Member, network: NetworkFacts): ProcessSnapshot | undefined {
  if (member.generation === 0) return undefined;
  // Replayed steps and the time of recoveries are the run's: its coordinator tells them.
  const recovery = { restarts: member.restarts, replayedSteps: 0, seconds: [] };
  return { ...snapshotOf(member.station, member.generation, networkOf(network)), recovery };
}

/** Of the coordinator's process. */
export function coordinatorOf(guests: Guests, stepLinks: StepLinks, member: Member, refusals: ReadonlyMap<string, number>): ProcessSnapshot | undefined {
  const sendQueueBytes = guests.all.reduce((sum, { link }) => sum + link.queuedBytes, 0);
  const facts = { control: guests.traffic, steps: stepLinks.traffic, traffic: member.traffic, sendQueueBytes, reconnects: 0, refusedPeers: Object.fromEntries(refusals) };
  return processOf(member, facts);
}

/** Of the coordinator, at the time `now` in ms. */
export function clusterOf(state: RunState, guests: Guests, member: Member, chronicle: Chronicle, staleMessages: number, now: number): ClusterSnapshot {
  const hosts = state.hosts.map(({ id, name, workers, phase }): HostSnapshot => {
    const guest = guests.get(id);
    const place = member.placeOf(id);
    return {
      name,
      state: phase,
      workers,
      shards: place ? place.end - place.first : 0,
      heartbeatAgeSeconds: guest && (now - guest.signs.heartbeatAt) / 1000,
      rttSeconds: guest?.link.rttSeconds,
      metricsAddress: guest?.metrics ?? '',
    };
  });
  const { changes, recoverySeconds, timeouts, replayedSteps } = chronicle;
  return { state: state.phase, hosts, membershipChanges: changes, replayedSteps, recoverySeconds, staleMessages, timeouts };
}
