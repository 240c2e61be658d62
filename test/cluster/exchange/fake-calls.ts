/**
 * Room: tests of cluster. A connection that is no system's: it takes and gives as many bytes at a time as a test says, from memory at
 * addresses that are made up.
 */
import fc from 'fast-check';
import { type SystemCalls, wouldBlock } from '../../../cluster/transport/descriptor.ts';

/** How many bytes each call takes or gives at most, over and over again; 0: not now. */
export const portions: fc.Arbitrary<readonly number[]> = fc
  .array(fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 2 ** 20 })), { maxLength: 20 })
  .map((some) => [...some, 2 ** 18]);

export class FakeConnection {
  /** All that was sent. */
  readonly sent: Buffer[] = [];
  sentBytes = 0;
  /** What has not been received. */
  coming: Buffer = Buffer.alloc(0);
  /** The other side sends nothing after what is coming. */
  ended = false;
  portions: readonly number[];
  #next = 0;
  readonly #memory: { readonly bytes: Uint8Array; readonly address: number }[] = [];
  #end = 4096;

  constructor(some: readonly number[]) {
    this.portions = some;
  }

  get output(): Buffer {
    return Buffer.concat(this.sent);
  }

  readonly calls: SystemCalls = {
    send: (_, address, bytes) => {
      const count = Math.min(bytes, this.#portion());
      if (count === 0) return wouldBlock;
      this.sent.push(Buffer.from(this.#at(address, count)));
      this.sentBytes += count;
      return count;
    },
    receive: (_, address, bytes) => {
      if (bytes === 0) throw new Error('Expected room for a byte, got none.');
      if (this.coming.length === 0) return this.ended ? 0 : wouldBlock;
      const count = Math.min(bytes, this.#portion(), this.coming.length);
      if (count === 0) return wouldBlock;
      this.#at(address, count).set(this.coming.subarray(0, count));
      this.coming = this.coming.subarray(count);
      return count;
    },
    poll: () => {},
    duplicate: (descriptor) => descriptor,
    close: () => {},
    addressOf: (bytes) => {
      const known = this.#memory.find((memory) => memory.bytes === bytes);
      if (known) return known.address;
      const address = this.#end;
      this.#memory.push({ bytes, address });
      // What lies between two memories belongs to nobody.
      this.#end += bytes.length + 4096;
      return address;
    },
  };

  #portion(): number {
    return this.portions[this.#next++ % this.portions.length]!;
  }

  #at(address: number, count: number): Uint8Array {
    const memory = this.#memory.find(({ bytes, address: from }) => address >= from && address + count <= from + bytes.length);
    if (!memory) throw new Error(`Expected ${count} bytes of known memory, got address ${address}.`);
    return memory.bytes.subarray(address - memory.address, address - memory.address + count);
  }
}
