/**
 * Room: cluster (level 7), transport. One open connection to another host: messages in, messages out, and one reason why it
 * ended. It promises that nothing undecoded gets out of it, that whatever a peer sends closes this link and nothing else, and
 * that control messages do not wait behind queued bulk data. It knows nothing of tokens: that is the handshake's.
 */
import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import { isLockstepError, LockstepError } from '../../src/errors.ts';
import { decodeFrame, encodeFrame } from '../wire/frame.ts';
import { type Message, protocolVersion } from '../wire/messages.ts';
import { printable } from '../wire/printable.ts';
import { type BulkPiece, BulkQueue } from './bulk-queue.ts';
import { type SystemCalls, takeDescriptor } from './descriptor.ts';
import { type LinkTraffic, noLinkTraffic } from './link-traffic.ts';
import { Refusal, type RefusalReason, reasonFrom } from './refusal.ts';

/** The longest frame that is received, in bytes: a piece of bulk data and its header, with much to spare. */
export const maxFrameBytes = 2 * 2 ** 20;

/**
 * Bulk data is pulled while fewer bytes than this wait in the socket: four pieces of 256 KiB keep a 10 Gbit/s network busy for
 * 0.8 ms while the event loop is elsewhere, and a control message waits no longer than that behind them.
 */
const highWaterBytes = 2 ** 20;

/**
 * Options of ws for both ends, which turns Nagle's algorithm off by itself. Gradients do not compress, and a peer that does
 * not answer a close within `closeTimeout` (ms) has its socket destroyed.
 */
export const socketOptions = { perMessageDeflate: false, maxPayload: maxFrameBytes, closeTimeout: 1000 };

/** Clients must mask what they send, against proxies that take it for HTTP. Both ends are ours: a mask of zeros is valid and costs nothing. */
export const dialerOptions = { ...socketOptions, generateMask: (mask: Buffer) => void mask.fill(0) };

export type MessageHandler = (message: Message, payload: Uint8Array) => void;

export interface LinkOptions {
  /** The other side's address, for messages: "192.168.1.7:50312". */
  readonly remote: string;
  /** What the WebSocket goes over. */
  readonly connection: Socket;
  /** Called when this side refuses the other, for whoever counts refusals. */
  readonly onRefused?: (reason: RefusalReason, message: string) => void;
}

export class Link {
  readonly remote: string;
  readonly traffic: LinkTraffic = { ...noLinkTraffic };
  /** Until the other side answered the last ping. */
  rttSeconds: number | undefined;
  #pingedAt = 0;
  readonly #socket: WebSocket;
  readonly #connection: Socket;
  readonly #onRefused: LinkOptions['onRefused'];
  readonly #bulk: BulkQueue;
  readonly #onWritten = () => this.#bulk.pump();
  readonly #closeHandlers: ((reason: string) => void)[] = [];
  #handler: MessageHandler | undefined;
  /** What came while there was no handler, in order; the socket is paused as long as there is any. */
  readonly #early: [message: Message, payload: Uint8Array][] = [];
  #ended: { readonly reason: string; readonly refusal: Refusal | undefined } | undefined;

  /** `socket` is open. */
  constructor(socket: WebSocket, { remote, connection, onRefused }: LinkOptions) {
    this.remote = remote;
    this.#connection = connection;
    this.#socket = socket;
    this.#onRefused = onRefused;
    this.#bulk = new BulkQueue(
      () => socket.readyState === WebSocket.OPEN && socket.bufferedAmount < highWaterBytes,
      ({ message, payload }) => this.#write(message, payload),
    );
    socket.binaryType = 'nodebuffer';
    socket.on('message', (frame, isBinary) => this.#receive(frame as Buffer, isBinary));
    socket.on('pong', () => {
      this.rttSeconds = (performance.now() - this.#pingedAt) / 1000;
    });
    socket.on('error', (error) => this.#violated(error));
    socket.on('close', (code) => this.#end(this.#lastWord(code)));
  }

  /** True from the moment that nothing can be sent or received any more. */
  get closed(): boolean {
    return this.#ended !== undefined;
  }

  /** Set when the link ended because one side refused the other. */
  get refusal(): Refusal | undefined {
    return this.#ended?.refusal;
  }

  /** Bytes that wait to be sent. */
  get queuedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  /** Measures how long the other side takes to answer, unless an answer is awaited. */
  ping(): void {
    if (this.closed || this.#socket.readyState !== WebSocket.OPEN) return;
    this.#pingedAt = performance.now();
    this.#socket.ping();
  }

  /** Hands a control message or a small hot one to the socket at once; on a closed link it is dropped, for `onClose` has told. */
  send(message: Message, payload?: Uint8Array): void {
    if (!this.closed) this.#write(message, payload);
  }

  /**
   * Sends what `next` returns until it returns undefined; each piece is copied when it is pulled. Everything there is room for
   * is handed over in this very call; jobs take their turn in the order they came. Rejects when the link closes before the end.
   */
  sendBulk(next: () => BulkPiece | undefined): Promise<void> {
    return this.#bulk.add(next);
  }

  /**
   * From now on messages go to `handler`, those that came while there was none first, in a microtask. Without one the link
   * stops reading, and so learns late that the other side closed. A Refusal thrown by it, or another error of Lockstep,
   * closes the link with the error's sentence; anything else is a defect of this side and thrown on.
   */
  onMessage(handler: MessageHandler | undefined): void {
    this.#handler = handler;
    if (handler !== undefined) queueMicrotask(() => this.#deliverEarly());
  }

  /** `handler` is called once, in a microtask after the link has ended, with the sentence that says why. */
  onClose(handler: (reason: string) => void): void {
    if (this.#ended === undefined) this.#closeHandlers.push(handler);
    else tell(handler, this.#ended.reason);
  }

  /** Ends the link after what was handed over; with a refusal the other side is told it first, and `onRefused` too. */
  close(refusal?: { readonly reason: RefusalReason; readonly message: string }): void {
    if (this.closed) return;
    if (refusal === undefined) {
      this.#end(`This side closed the connection to ${this.remote}.`);
    } else {
      const { reason } = refusal;
      const message = printable(refusal.message);
      this.#write({ type: 'refused', version: protocolVersion, generation: 0, step: 0, reason, message });
      this.#end(message, new Refusal(reason, message));
      this.#onRefused?.(reason, message);
    }
  }

  get isEncrypted(): boolean {
    return 'encrypted' in this.#connection;
  }

  /**
   * The descriptor of the connection, which goes on without this link: it ends without a word to the other side. For a moment at which nothing is
   * on its way. Undefined when the connection broke, or something came that should not.
   */
  detach(calls: SystemCalls): number | undefined {
    const descriptor = this.closed || this.#early.length > 0 ? undefined : takeDescriptor(this.#connection, calls);
    if (descriptor !== undefined) this.#end('The connection was handed over.');
    return descriptor;
  }

  #write(message: Message, payload?: Uint8Array): number {
    if (this.#socket.readyState !== WebSocket.OPEN) return 0;
    const frame = encodeFrame(message, payload);
    this.traffic.bytesOut += frame.length;
    this.traffic.messagesOut++;
    this.#socket.send(frame, this.#onWritten);
    return frame.length;
  }

  #receive(frame: Buffer, isBinary: boolean): void {
    if (this.closed) return;
    this.traffic.bytesIn += frame.length;
    this.traffic.messagesIn++;
    this.#orRefuse(() => {
      if (!isBinary) throw new Refusal('protocol', 'Expected binary messages of Lockstep, got a text message; is the other side another program?');
      const { message, payload } = decodeFrame(frame);
      if (message.type === 'refused') {
        this.#end(message.message, new Refusal(reasonFrom(message.reason), message.message, 'peer'));
      } else if (this.#handler === undefined || this.#early.length > 0) {
        this.#early.push([message, payload]);
        this.#socket.pause();
      } else {
        this.#handler(message, payload);
      }
    });
  }

  #deliverEarly(): void {
    while (this.#handler !== undefined && this.#early.length > 0) {
      const handler = this.#handler;
      const first = this.#early.shift()!;
      this.#orRefuse(() => handler(...first));
    }
    if (this.#early.length === 0) this.#socket.resume();
  }

  #orRefuse(act: () => void): void {
    try {
      act();
    } catch (error) {
      if (!isLockstepError(error)) throw error;
      const otherwise = error.code === 'LOCKSTEP_VERSION' ? 'version' : 'protocol';
      this.close({ reason: error instanceof Refusal ? error.reason : otherwise, message: error.message });
    }
  }

  /** What came was no WebSocket frame; ws has sent its close frame already, so no sentence can follow. */
  #violated(error: NodeJS.ErrnoException): void {
    if (error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH' || error.code === 'WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH') {
      this.close({ reason: 'size', message: `Expected messages of at most ${maxFrameBytes} bytes, got the announcement of a longer one.` });
    } else {
      this.close({ reason: 'protocol', message: `Expected frames of the WebSocket protocol, got something else (${error.message}).` });
    }
  }

  #lastWord(code: number): string {
    if (code === 1006) return `The connection to ${this.remote} broke.`;
    const withCode = code === 1000 || code === 1005 ? '' : ` with WebSocket code ${code}`;
    return `${this.remote} closed the connection${withCode}.`;
  }

  /** The one way out: the first reason stays. The socket reads on, or it would not see the other side's close. */
  #end(reason: string, refusal?: Refusal): void {
    if (this.closed) return;
    this.#ended = { reason, refusal };
    this.#early.length = 0;
    this.#bulk.close(refusal ?? new LockstepError('LOCKSTEP_NETWORK', reason));
    for (const handler of this.#closeHandlers.splice(0)) tell(handler, reason);
    this.#socket.resume();
    this.#socket.close();
  }
}

function tell(handler: (reason: string) => void, reason: string): void {
  queueMicrotask(() => handler(reason));
}
