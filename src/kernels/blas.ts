/**
 * Room: kernels (level 2). The system's BLAS, loaded through koffi: its sgemm over WebAssembly's other kernels.
 * Promises: the library runs on the calling thread alone (ranks are the parallelism); the same bits on one CPU model and
 * library version; a machine without koffi's binary or without a fast BLAS is told the reason and runs on. It never takes
 * netlib's reference BLAS, which is slower than our own kernels.
 */
import { createRequire } from 'node:module';
import { release } from 'node:os';
import type { LibraryHandle } from 'koffi';
import type { Address, Arena } from '../memory/arena.ts';
import { type GemmForm, gemmForm, type Kernels } from './contract.ts';
import { createWasmKernels } from './wasm.ts';

type Koffi = typeof import('koffi');

/** cblas_sgemm(order, transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc), the matrices as process addresses. */
type Sgemm = (
  order: number,
  transA: number,
  transB: number,
  m: number,
  n: number,
  k: number,
  alpha: number,
  a: number,
  lda: number,
  b: number,
  ldb: number,
  beta: number,
  c: number,
  ldc: number,
) => void;

/** A fast BLAS held to one thread, or why there is none. Lives in the thread that loaded it. */
export type BlasLibrary =
  | {
      readonly ok: true;
      readonly name: string;
      readonly version: string;
      readonly path: string;
      readonly sgemm: Sgemm;
      readonly addressOf: (bytes: Uint8Array) => number;
    }
  | { readonly ok: false; readonly reason: string; readonly mend: string };

/** Where a fast BLAS is looked for, best first. Names without a folder go through the system's loader. */
const systemCandidates: Partial<Record<NodeJS.Platform, readonly string[]>> = {
  linux: ['libopenblas.so.0', 'libopenblas.so', 'libmkl_rt.so.2', 'libmkl_rt.so', 'libblis.so.4', 'libblis.so.3', 'libblis.so'],
  darwin: [
    '/System/Library/Frameworks/Accelerate.framework/Accelerate',
    '/opt/homebrew/opt/openblas/lib/libopenblas.dylib',
    '/usr/local/opt/openblas/lib/libopenblas.dylib',
  ],
  win32: ['libopenblas.dll', 'openblas.dll', 'mkl_rt.2.dll'],
};

/** How to get a fast BLAS, by platform. */
const mends: Partial<Record<NodeJS.Platform, string>> = {
  linux: 'install libopenblas (Debian: libopenblas0-pthread)',
  darwin: 'install OpenBLAS (brew install openblas)',
  win32: 'put libopenblas.dll on the PATH',
};

/** How each family is known and held to one thread. Returns its version, or throws when a symbol is missing. */
const families: readonly { readonly name: string; readonly singleThread: (library: LibraryHandle, path: string) => string }[] = [
  {
    name: 'OpenBLAS',
    singleThread(library) {
      library.func('void openblas_set_num_threads(int)')(1);
      const config: string = library.func('str openblas_get_config()')();
      const core: string = library.func('str openblas_get_corename()')();
      return `${/OpenBLAS (\S+)/.exec(config)?.[1] ?? 'of unknown version'} ${core}`;
    },
  },
  {
    name: 'MKL',
    singleThread(library) {
      library.func('void MKL_Set_Num_Threads(int)')(1);
      // MKL_CBWR_AUTO: without it the bits depend on how the matrices are aligned.
      const auto = 2;
      library.func('int MKL_CBWR_Set(int)')(auto);
      const text = Buffer.alloc(200);
      library.func('void MKL_Get_Version_String(void*, int)')(text, text.length);
      return text
        .toString('latin1')
        .replace(/[\0\s]+/g, ' ')
        .trim();
    },
  },
  {
    name: 'BLIS',
    singleThread(library) {
      library.func('void bli_thread_set_num_threads(int64_t)')(1);
      return library.func('str bli_info_get_version_str()')();
    },
  },
  {
    name: 'Accelerate',
    singleThread(library, path) {
      if (!path.includes('Accelerate.framework')) throw new Error('not Accelerate');
      try {
        library.func('int BLASSetThreading(unsigned int)')(1);
      } catch {
        // Before macOS 15 there is no switch; VECLIB_MAXIMUM_THREADS=1 in the environment does it.
      }
      return release();
    },
  },
];

/** Loads the first usable of `candidates` (default: this platform's), and holds it to one thread. Never throws. */
export function loadBlas(candidates: readonly string[] = systemCandidates[process.platform] ?? []): BlasLibrary {
  let koffi: Koffi;
  try {
    koffi = createRequire(import.meta.url)('koffi');
  } catch (error) {
    return { ok: false, reason: `koffi cannot be loaded: ${firstLine(error)}`, mend: 'install koffi with its binary for this platform (npm install koffi)' };
  }
  const refused: string[] = [];
  for (const path of candidates) {
    try {
      const library = koffi.load(path);
      const family = identify(library, path);
      if (family === undefined) {
        refused.push(`${path} is none of ${families.map(({ name }) => name).join(', ')}`);
        continue;
      }
      const sgemm: Sgemm = library.func('void cblas_sgemm(int, int, int, int, int, int, float, uintptr_t, int, uintptr_t, int, float, uintptr_t, int)');
      return { ok: true, ...family, path, sgemm, addressOf: (bytes) => Number(koffi.address(bytes)) };
    } catch (error) {
      refused.push(`${path}: ${firstLine(error)}`);
    }
  }
  const reason = refused.length > 0 ? refused.join('; ') : `no BLAS is known for ${process.platform}`;
  return { ok: false, reason, mend: mends[process.platform] ?? 'install OpenBLAS' };
}

/** The family and version of a loaded library, now on one thread; undefined for netlib's and unknown ones. */
function identify(library: LibraryHandle, path: string): { name: string; version: string } | undefined {
  for (const { name, singleThread } of families) {
    try {
      return { name, version: singleThread(library, path) };
    } catch {
      // A symbol is missing: another family.
    }
  }
  return undefined;
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n', 1)[0] ?? '';
}

/** CBLAS' enumerations. */
const cblas = { rowMajor: 101, plain: 111, transposed: 112 } as const;

/** The wasm kernels with the system's sgemm as `gemm`. Once per rank thread, with a library loaded in that thread. */
export function createBlasKernels(library: BlasLibrary & { ok: true }, module: WebAssembly.Module, arena: Arena, scratch: Address): Kernels {
  const { sgemm } = library;
  const base = library.addressOf(arena.u8);
  /** Absolute addresses by offset. They do not fit small integers, so a number made anew would be allocated at every call. */
  const pointers = new Map<Address, number>();

  function pointer(address: Address): number {
    const known = pointers.get(address);
    if (known !== undefined) return known;
    pointers.set(address, base + address);
    return base + address;
  }

  function gemm(form: GemmForm, m: number, n: number, k: number, a: Address, b: Address, c: Address): void {
    if (m <= 0 || n <= 0) return;
    if (k <= 0) {
      arena.f32.fill(0, c >>> 2, (c >>> 2) + m * n);
      return;
    }
    const aTransposed = form === gemmForm.TN;
    const bTransposed = form === gemmForm.NT;
    sgemm(
      cblas.rowMajor,
      aTransposed ? cblas.transposed : cblas.plain,
      bTransposed ? cblas.transposed : cblas.plain,
      m,
      n,
      k,
      1,
      pointer(a),
      aTransposed ? m : k,
      pointer(b),
      bTransposed ? k : n,
      0,
      pointer(c),
      n,
    );
  }

  return { ...createWasmKernels(module, arena, scratch), set: 'blas', gemm };
}
