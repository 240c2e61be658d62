/**
 * Room: cluster (level 7), transport. Both sides prove that they know the run's token before anything else is said, and
 * neither sends it: the listener's challenge, the dialer's hello with its proof, the listener's welcome with its own.
 *
 *     proof = HMAC-SHA256(token, [version, direction, role, id, generation, listener's nonce, dialer's nonce])
 *
 * Both nonces are fresh, so no proof serves twice; the direction keeps one side from sending back the other's proof. Without
 * a token the key is empty, which both sides must agree on as well: a stranger's mistake is told from a wrong token by it.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { LockstepError } from '../../src/errors.ts';
import { type Message, protocolVersion } from '../wire/messages.ts';
import type { Link } from './link.ts';
import { Refusal } from './refusal.ts';

/** Who dials: a host that calls the coordinator, or the link of host `id` to another host for the steps of a generation. */
export interface Peer {
  readonly role: 'host' | 'peer';
  readonly id: number;
  /** 0 for a host that calls. */
  readonly generation: number;
}

/** Time that a connection may take until both sides have proved themselves, in ms: a slow network's few round trips, many times over. */
export const handshakeTimeoutMs = 5000;

const envelope = { version: protocolVersion, generation: 0, step: 0 } as const;

/** Refuses an empty token: it would be taken for none. */
export function checkToken(token: string | undefined): void {
  if (token === '') throw new LockstepError('LOCKSTEP_USAGE', 'Expected `token` to be a secret, got an empty text; put one into the --token-file.');
}

/** The listener's side: resolves to who was let in; rejects when the link ended before, with the Refusal if there was one. */
export function acceptHandshake(link: Link, token: string | undefined, { timeoutMs = handshakeTimeoutMs } = {}): Promise<Peer> {
  const nonce = freshNonce();
  link.send({ ...envelope, type: 'challenge', nonce });
  return talk(link, timeoutMs, (message, done) => {
    if (message.type !== 'hello') return outOfTurn('hello', message);
    const { role, id, generation } = message;
    const proofBy = (direction: Direction) => (key: string) => prove(key, direction, { role, id, generation }, nonce, message.nonce);
    checkProof(message.proof, token, proofBy('dialer'));
    link.send({ ...envelope, type: 'welcome', proof: proofBy('listener')(token ?? '') });
    done({ role, id, generation });
  });
}

/** The dialer's side: resolves when the listener has let us in and proved itself; rejects as `acceptHandshake` does. */
export function offerHandshake(
  link: Link,
  token: string | undefined,
  { role, id, generation, timeoutMs = handshakeTimeoutMs }: Peer & { timeoutMs?: number },
): Promise<void> {
  const nonce = freshNonce();
  let challenge: string | undefined;
  return talk(link, timeoutMs, (message, done) => {
    const proofBy = (direction: Direction) => (key: string) => prove(key, direction, { role, id, generation }, challenge ?? '', nonce);
    if (challenge === undefined) {
      if (message.type !== 'challenge') return outOfTurn('challenge', message);
      challenge = message.nonce;
      link.send({ ...envelope, generation, type: 'hello', nonce, proof: proofBy('dialer')(token ?? ''), role, id });
    } else {
      if (message.type !== 'welcome') return outOfTurn('welcome', message);
      checkProof(message.proof, token, proofBy('listener'));
      done();
    }
  });
}

/** Gives messages to `hear` until it calls `done`; those after that wait for the link's next handler. */
function talk<T>(link: Link, timeoutMs: number, hear: (message: Message, done: (value: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = { reason: 'timeout', message: `Expected the handshake to take at most ${timeoutMs} ms, got no end of it in that time.` } as const;
    const timer = setTimeout(() => link.close(late), timeoutMs);
    link.onClose((reason) => {
      clearTimeout(timer);
      reject(link.refusal ?? new LockstepError('LOCKSTEP_NETWORK', reason));
    });
    link.onMessage((message) =>
      hear(message, (value) => {
        clearTimeout(timer);
        link.onMessage(undefined);
        resolve(value);
      }),
    );
  });
}

function outOfTurn(expected: string, { type }: Message): never {
  throw new Refusal('protocol', `Expected the message \`${expected}\` of the handshake, got \`${type}\`.`);
}

function freshNonce(): string {
  return randomBytes(32).toString('hex');
}

type Direction = 'dialer' | 'listener';

function prove(key: string, direction: Direction, { role, id, generation }: Peer, listenerNonce: string, dialerNonce: string): string {
  const claim = JSON.stringify(['lockstep', protocolVersion, direction, role, id, generation, listenerNonce, dialerNonce]);
  return createHmac('sha256', key).update(claim).digest('hex');
}

function checkProof(proof: string, token: string | undefined, proofWith: (key: string) => string): void {
  const isOf = (key: string) => timingSafeEqual(Buffer.from(proof, 'hex'), Buffer.from(proofWith(key), 'hex'));
  if (isOf(token ?? '')) return;
  if (token === undefined) throw new Refusal('token', 'Expected no token, got a proof of one; give both sides the same --token-file, or neither one.');
  throw new Refusal('token', `Expected a proof of the run's token, got ${isOf('') ? 'none' : 'a wrong one'}; give both sides the same --token-file.`);
}
