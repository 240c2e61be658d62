/**
 * Room: memory (level 1). The part of the WebAssembly JavaScript interface that Lockstep uses: TypeScript declares it only
 * together with the browser's DOM. It never declares more than is called.
 */
declare namespace WebAssembly {
  class Memory {
    constructor(descriptor: { initial: number; maximum: number; shared: true });
    readonly buffer: SharedArrayBuffer;
    grow(pages: number): number;
  }

  /** Structured-cloneable: it can be posted to threads. */
  class Module {
    constructor(bytes: Uint8Array);
    private readonly brand: unique symbol;
  }

  class Instance {
    constructor(module: Module, imports: Record<string, Record<string, Memory>>);
    readonly exports: Record<string, unknown>;
  }
}
