/**
 * Room: cluster (level 7), membership. What a message of a host means for the membership: a pure function.
 */
import type { Message } from '../wire/messages.ts';
import type { MembershipEvent } from './state.ts';

/** Whoever says that it has heard of more generations than this cannot make the run count beyond what its messages hold. */
const mostSeen = 2 ** 30;

/** The event that a message of host `id` is; undefined for one that says nothing about the membership. */
export function eventOf(id: number, message: Message): MembershipEvent | undefined {
  const { generation } = message;
  switch (message.type) {
    case 'prepared':
      return { kind: 'prepared', id, holds: message.holds, seen: Math.min(generation, mostSeen) };
    case 'ready':
      return { kind: 'ready', id, generation };
    case 'finished':
      return { kind: 'boundary', id, generation, committed: message.step, speed: speedOf(message.rowSeconds) };
    case 'recalled':
      return { kind: 'boundary', id, generation, committed: message.committed, speed: 0 };
    case 'stumbled':
      return { kind: 'stumbled', id, generation, workers: message.workers, sentence: message.sentence };
    case 'leave':
      return { kind: 'leaveRequested', id };
    case 'peerLost':
      return { kind: 'peerLost', id, peer: message.id, generation };
    default:
      return undefined;
  }
}

/** Rows a second of one worker; 0 when it is not known. */
export function speedOf(rowSeconds: number): number {
  return rowSeconds > 0 ? 1 / rowSeconds : 0;
}
