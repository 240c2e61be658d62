/**
 * Room: scripts (level 8). A TCP proxy that is a bad line, for measures and for tests: delay, jitter, the stalls that TCP makes
 * of lost packets, lines that break or freeze. Every byte waits its time while others follow it (a pipeline, not stop and wait), no
 * byte overtakes another, and what happens to a byte depends on seed, connection, direction and its place alone. Only the clock
 * decides when: a delay is never shorter than it was asked for, and a busy machine makes it longer.
 */
import { createServer, type Socket, connect as tcpConnect } from 'node:net';
import { philox, seedKey } from '../../src/numerics/philox.ts';

interface Endpoint {
  readonly host: string;
  /** 0 to listen: any free port. */
  readonly port: number;
}

export interface ProxyOptions {
  readonly listen: Endpoint;
  readonly target: Endpoint;
  /** One way, in both directions. */
  readonly delayMs?: number;
  /** On top of the delay, between 0 and this, drawn for each packet. */
  readonly jitterMs?: number;
  /** How likely a packet counts as lost; it and all that follows then waits `stallMs` more. */
  readonly stallProbability?: number;
  /** By default 200: what Linux waits at least before it sends again. */
  readonly stallMs?: number;
  /** A connection breaks when so many bytes have gone one way. */
  readonly dropAfterBytes?: number;
  /** Bytes that may be under way in one direction of a connection before the sender must wait. */
  readonly windowBytes?: number;
  readonly seed?: number;
}

export interface Proxy {
  readonly port: number;
  /** Open connections. */
  readonly connections: number;
  /** Resets all connections, on both sides; what was under way is lost. New ones are taken. */
  cut(): void;
  /** Lets nothing through, as a host does that hangs: connections stay open, and what was on its way waits. */
  freeze(): void;
  thaw(): void;
  /** Breaks all connections and takes no new ones. */
  close(): Promise<void>;
}

/** What bytes have in common when they are lost or late: a packet of a stream, by place. */
const packetBytes = 16 * 1024;

/** Starts listening. */
export async function startProxy(options: ProxyOptions): Promise<Proxy> {
  const lines = new Set<Line>();
  let accepted = 0;
  let frozen = false;
  const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (client) => {
    const line = new Line(client, options, accepted++, () => lines.delete(line));
    lines.add(line);
    if (!frozen) line.thaw();
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(options.listen.port, options.listen.host, resolve);
  });
  const address = server.address();
  const cut = (): void => {
    for (const line of [...lines]) line.cut();
  };
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    get connections() {
      return lines.size;
    },
    cut,
    freeze: () => {
      frozen = true;
      for (const line of lines) line.freeze();
    },
    thaw: () => {
      frozen = false;
      for (const line of lines) line.thaw();
    },
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      cut();
      await closed;
    },
  };
}

/** A connection: two sockets and a pipe each way. It begins frozen. */
class Line {
  readonly #sockets: readonly [client: Socket, target: Socket];
  readonly #pipes: readonly Pipe[];

  constructor(client: Socket, options: ProxyOptions, index: number, onClose: () => void) {
    const target = tcpConnect({ ...options.target, allowHalfOpen: true, noDelay: true });
    this.#sockets = [client, target];
    const cut = (): void => this.cut();
    this.#pipes = [new Pipe(client, target, options, index, 0, cut), new Pipe(target, client, options, index, 1, cut)];
    let open = 2;
    for (const socket of this.#sockets) {
      socket.on('error', cut);
      socket.on('close', () => {
        if (--open === 0) onClose();
      });
    }
  }

  cut(): void {
    this.freeze();
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  freeze(): void {
    for (const pipe of this.#pipes) pipe.freeze();
  }

  thaw(): void {
    for (const pipe of this.#pipes) pipe.thaw();
  }
}

/** One direction: bytes and the moment at which each may leave. */
class Pipe {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #options: ProxyOptions;
  readonly #cut: () => void;
  readonly #delayOf: (packet: number) => number;
  readonly #windowBytes: number;
  /** In order; `undefined` is the end of the stream. Moments never decrease. */
  readonly #queue: { readonly due: number; readonly bytes: Buffer | undefined }[] = [];
  #queuedBytes = 0;
  /** Bytes that came in; their moments are decided. */
  #arrived = 0;
  #sent = 0;
  #lastDue = 0;
  #frozen = true;
  #timer: NodeJS.Timeout | undefined;

  constructor(from: Socket, to: Socket, options: ProxyOptions, connection: number, direction: number, cut: () => void) {
    [this.#from, this.#to, this.#options, this.#cut] = [from, to, options, cut];
    this.#delayOf = packetDelays(options, connection, direction);
    this.#windowBytes = options.windowBytes ?? 2 ** 20;
    from.pause();
    from.on('data', (bytes: Buffer) => this.#take(bytes));
    from.on('end', () => this.#push(undefined, this.#options.delayMs ?? 0));
    to.on('drain', () => this.#heedWindow());
  }

  freeze(): void {
    this.#frozen = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#from.pause();
  }

  thaw(): void {
    this.#frozen = false;
    this.#heedWindow();
    this.#deliver();
  }

  /** Cuts what came in at the borders of packets. */
  #take(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) {
      const packet = Math.floor(this.#arrived / packetBytes);
      const piece = bytes.subarray(at, at + (packet + 1) * packetBytes - this.#arrived);
      at += piece.length;
      this.#arrived += piece.length;
      this.#push(piece, this.#delayOf(packet));
    }
    this.#heedWindow();
  }

  #push(bytes: Buffer | undefined, delay: number): void {
    this.#lastDue = Math.max(this.#lastDue, performance.now() + delay);
    this.#queue.push({ due: this.#lastDue, bytes });
    this.#queuedBytes += bytes?.length ?? 0;
    if (!this.#timer) this.#deliver();
  }

  /** Sends what may leave now and comes back for the rest. */
  #deliver(): void {
    this.#timer = undefined;
    if (this.#frozen) return;
    const now = performance.now();
    while (!this.#frozen && this.#queue.length > 0 && this.#queue[0]!.due <= now) this.#send(this.#queue.shift()!.bytes);
    this.#heedWindow();
    // A timer counts from the turn of the event loop that set it, so it may be early: then it is set once more.
    if (this.#queue.length > 0 && !this.#frozen) this.#timer = setTimeout(() => this.#deliver(), Math.max(1, Math.ceil(this.#queue[0]!.due - now)));
  }

  #send(bytes: Buffer | undefined): void {
    if (!bytes) return void this.#to.end();
    this.#queuedBytes -= bytes.length;
    const limit = this.#options.dropAfterBytes ?? Number.POSITIVE_INFINITY;
    this.#sent += bytes.length;
    if (this.#sent < limit) this.#to.write(bytes);
    else this.#cut();
  }

  #heedWindow(): void {
    if (this.#frozen || this.#queuedBytes + this.#to.writableLength >= this.#windowBytes) this.#from.pause();
    else this.#from.resume();
  }
}

/** The delay of each packet of one direction of a connection, in milliseconds. */
function packetDelays({ delayMs = 0, jitterMs = 0, stallProbability = 0, stallMs = 200, seed = 0 }: ProxyOptions, connection: number, direction: number) {
  const key = seedKey(seed);
  const words = new Uint32Array(4);
  return (packet: number): number => {
    philox(words, packet, connection, direction, 0, ...key);
    return delayMs + (jitterMs * words[0]!) / 2 ** 32 + (words[1]! / 2 ** 32 < stallProbability ? stallMs : 0);
  };
}
