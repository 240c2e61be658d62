/**
 * Room: cluster (level 7). The state (weights, moving statistics, optimizer vectors) from the coordinator's arena into a newcomer's, or from that of
 * the host with the newest one into that of a coordinator that was started again, in pieces, while everybody stands at a step boundary: nothing changes it on its way, and no copy of it is made.
 */
import type { Station } from '../src/local/station.ts';
import { forgetStanding } from '../src/model/standing.ts';
import type { Member } from './member.ts';
import type { Link } from './transport/link.ts';
import { Refusal } from './transport/refusal.ts';
import { type MessageOf, protocolVersion } from './wire/messages.ts';

/** Bytes of a piece: large enough to use a connection well, small enough that a heartbeat never waits long behind one. */
const pieceBytes = 256 * 1024;

export interface StateTransfer {
  readonly bytes: number;
  readonly seconds: number;
}

/** Sends the member's state as that of `generation`, as long as `isCurrent`. Rejects when the link closes before the end. */
export async function sendState({ station, committed }: Member, link: Pick<Link, 'sendBulk'>, generation: number, isCurrent: () => boolean): Promise<StateTransfer> {
  const { arena, plan } = station;
  const { from, to } = plan.state;
  const began = performance.now();
  let at = from;
  await link.sendBulk(() => {
    if (at >= to || !isCurrent()) return undefined;
    const end = Math.min(to, at + pieceBytes);
    const message = { version: protocolVersion, generation, step: committed, type: 'state', offset: at - from } as const;
    const piece = { message, payload: arena.u8.subarray(at, end) };
    at = end;
    return piece;
  });
  return { bytes: to - from, seconds: (performance.now() - began) / 1000 };
}

/** Bytes that are touched at a time: some milliseconds. */
const touchedBytes = 2 ** 24;

/**
 * Makes the system give this host the memory of its state before the run stands still for it: pages that are touched for the first
 * time halve the speed of a transfer. The place of the state is zero still, and stays so.
 */
export async function touchState({ arena, plan }: Station): Promise<void> {
  const { from, to } = plan.state;
  for (let at = from; at < to; at += touchedBytes) {
    arena.u8.fill(0, at, Math.min(to, at + touchedBytes));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** The receiving end: what of the state is still due. */
export class StateReceiver {
  #due = 0;
  #generation = 0;
  #complete: (() => void) | undefined;

  /** Announces the state of a generation, or that it brings none. Whoever waits for an earlier one waits no longer. */
  expect(member: Member, { generation, receivesState }: MessageOf<'generation'>): void {
    this.#complete?.();
    this.#complete = undefined;
    this.#generation = generation;
    this.#due = receivesState ? stateBytes(member) : 0;
    // A transfer that is cut leaves no state of any step.
    if (receivesState) forgetStanding(member.station.arena, member.station.plan);
  }

  /** The pieces come in order; ranks stand until the last one is here. Throws a Refusal for one that is out of place. */
  take(member: Member, { offset, generation }: MessageOf<'state'>, payload: Uint8Array): void {
    // The sender had not yet heard that its generation is over.
    if (generation !== this.#generation) return;
    const next = stateBytes(member) - this.#due;
    if (this.#due === 0 || offset !== next || payload.length === 0 || payload.length > this.#due) {
      throw new Refusal('protocol', `Expected byte ${next} of the state, got ${payload.length} bytes at byte ${offset}.`);
    }
    const { arena, plan } = member.station;
    arena.u8.set(payload, plan.state.from + offset);
    this.#due -= payload.length;
    // The last piece brings how the state stands.
    if (this.#due === 0) this.#complete?.();
  }

  /** What is awaited will not come. */
  giveUp(): void {
    this.#due = 0;
    this.#complete?.();
  }

  /** Resolves when the state is here, or not awaited any more. */
  async completed(): Promise<void> {
    if (this.#due === 0) return;
    await new Promise<void>((resolve) => {
      this.#complete = resolve;
    });
  }
}

function stateBytes({ station }: Member): number {
  const { from, to } = station.plan.state;
  return to - from;
}
