/**
 * Room: cluster (level 7), transport. A connection as the system knows it: bytes between a socket's descriptor and addresses of this
 * process, without Node's streams in between. For threads that block: a stream would cost them a copy, an event loop and a wake-up.
 * Where the system's C library cannot be called (Windows, no koffi) there is none, and the reason.
 */
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';

/** What is used of the C library. Sizes and addresses are below 2^53. */
export interface SystemCalls {
  /** Bytes taken or given; 0 from `receive` when the other side has closed. `wouldBlock` when there is no room, or nothing there. */
  readonly send: (descriptor: number, address: number, bytes: number, more: boolean) => number;
  readonly receive: (descriptor: number, address: number, bytes: number) => number;
  /** Waits until one of the `count` sockets of the PollSet at `address` is ready, or `ms` have passed. */
  readonly poll: (address: number, count: number, ms: number) => void;
  readonly duplicate: (descriptor: number) => number;
  readonly close: (descriptor: number) => void;
  /** The address of memory of this process that does not move: shared memory, or a Buffer made by `allocUnsafeSlow`. */
  readonly addressOf: (bytes: Uint8Array) => number;
}

export const wouldBlock = -1;

/** The connection is broken. */
export class SystemCallFailed extends Error {
  override readonly name = 'SystemCallFailed';
}

/** poll(2)'s records: descriptor, what is waited for, what is there. */
export class PollSet {
  readonly bytes: Buffer;

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafeSlow(Math.max(1, size) * 8);
  }

  /** Waits for room at `descriptor`, for bytes, or for both. */
  set(index: number, descriptor: number, forBytes: boolean, forRoom: boolean): void {
    this.bytes.writeInt32LE(descriptor, index * 8);
    this.bytes.writeInt16LE((forBytes ? pollIn : 0) | (forRoom ? pollOut : 0), index * 8 + 4);
    this.bytes.writeInt16LE(0, index * 8 + 6);
  }
}

const pollIn = 1;
const pollOut = 4;

export type SystemCallsOrReason = { readonly ok: true; readonly calls: SystemCalls } | { readonly ok: false; readonly reason: string };

let loaded: SystemCallsOrReason | undefined;

/** Of this thread, loaded once. */
export function systemCalls(): SystemCallsOrReason {
  loaded ??= load();
  return loaded;
}

function load(): SystemCallsOrReason {
  if (process.platform !== 'linux' && process.platform !== 'darwin') return { ok: false, reason: `${process.platform} has no sockets that another thread could use` };
  try {
    return { ok: true, calls: bind(createRequire(import.meta.url)('koffi') as typeof import('koffi')) };
  } catch (error) {
    return { ok: false, reason: `the C library cannot be called (${error instanceof Error ? error.message.split('\n')[0] : String(error)})` };
  }
}

function bind(koffi: typeof import('koffi')): SystemCalls {
  const process = koffi.load(null);
  const send: (descriptor: number, address: number, bytes: number, flags: number) => number = process.func('long send(int, uintptr_t, size_t, int)');
  const receive: (descriptor: number, address: number, bytes: number, flags: number) => number = process.func('long recv(int, uintptr_t, size_t, int)');
  const poll: (set: number, count: number, ms: number) => number = process.func('int poll(uintptr_t, unsigned long, int)');
  const control: (descriptor: number, command: number, type: 'int', from: number) => number = process.func('int fcntl(int, int, ...)');
  const close: (descriptor: number) => number = process.func('int close(int)');
  const { EAGAIN, EWOULDBLOCK, EINTR } = koffi.os.errno as Record<'EAGAIN' | 'EWOULDBLOCK' | 'EINTR', number>;
  // F_DUPFD_CLOEXEC: programs that this process starts do not inherit the connection.
  const duplicateForUs = globalThis.process.platform === 'darwin' ? 67 : 1030;
  // MSG_MORE: what follows goes into the same segment. Elsewhere than on Linux there is no such flag.
  const more = globalThis.process.platform === 'linux' ? 0x8000 : 0;
  const outcome = (bytes: number, what: string): number => {
    if (bytes >= 0) return bytes;
    const code = koffi.errno();
    if (code === EAGAIN || code === EWOULDBLOCK || code === EINTR) return wouldBlock;
    throw new SystemCallFailed(`${what} failed with ${nameOf(koffi, code)}`);
  };
  return {
    send: (descriptor, address, bytes, followed) => outcome(send(descriptor, address, bytes, followed ? more : 0), 'sending'),
    receive: (descriptor, address, bytes) => outcome(receive(descriptor, address, bytes, 0), 'receiving'),
    poll: (address, count, ms) => void poll(address, count, ms),
    duplicate: (descriptor) => outcome(control(descriptor, duplicateForUs, 'int', 0), 'duplicating a descriptor'),
    close: (descriptor) => void close(descriptor),
    addressOf: (bytes) => Number(koffi.address(bytes)),
  };
}

function nameOf(koffi: typeof import('koffi'), code: number): string {
  return Object.entries(koffi.os.errno).find(([, value]) => value === code)?.[0] ?? `error ${code}`;
}

/**
 * A descriptor of its own for the connection of `socket`, which is closed here and goes on there; undefined when the socket is closed
 * already, or the system has no descriptor left. All that was received must have been read, and all that was written have left.
 */
export function takeDescriptor(socket: Socket, calls: SystemCalls): number | undefined {
  // Node has no public way to a socket's descriptor.
  const descriptor = (socket as unknown as { readonly _handle?: { readonly fd?: number } | null })._handle?.fd ?? -1;
  if (descriptor < 0 || socket.writableLength > 0) return undefined;
  try {
    const own = calls.duplicate(descriptor);
    socket.destroy();
    return own;
  } catch (error) {
    if (error instanceof SystemCallFailed) return undefined;
    throw error;
  }
}
