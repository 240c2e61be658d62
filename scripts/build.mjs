/**
 * Room: scripts (level 8). Builds dist/: TypeScript by tsc, the kernels by the AssemblyScript compiler, side by side; the live page's files as they are.
 * It promises a dist/ made of the present sources alone (it is cleaned first), one line that says what was built, and exit
 * code 1 with the output of the stage that failed. It never needs anything built before it: hence plain JavaScript.
 *
 * node scripts/build.mjs [--if-needed] [--quiet]
 *   --if-needed   do nothing when no input changed since the last successful build
 *   --quiet       say nothing unless a stage fails
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const inputFolders = ['src', 'cluster', 'scripts', 'test', 'examples'];
const inputFiles = ['tsconfig.json', 'package.json', join('scripts', 'build.mjs')];
const stampFile = join(root, 'dist', '.stamp');
const kernelsWasm = join('dist', 'src', 'kernels', 'kernels.wasm');
/** For browsers: no compiler touches it. */
const page = join('src', 'telemetry', 'page');

/** What the kernels import and may do: a shared memory of any size, SIMD without its relaxed part. */
const kernelFlags = [
  ['-O3', '--noAssert', '--runtime', 'stub'],
  ['--enable', 'simd', '--enable', 'threads'],
  ['--importMemory', '--noExportMemory', '--sharedMemory', '--initialMemory', '1', '--maximumMemory', '65536'],
].flat();

const stages = [
  { name: 'TypeScript', args: [join('node_modules', 'typescript', 'bin', 'tsc'), '--pretty', 'false'] },
  {
    name: 'kernels',
    args: [join('node_modules', 'assemblyscript', 'bin', 'asc.js'), join('src', 'kernels', 'assembly', 'index.ts'), '-o', kernelsWasm, ...kernelFlags],
  },
];

/** Every .ts file under the input folders, and the other inputs, sorted. */
function inputs() {
  const found = [...inputFiles, ...readdirSync(join(root, page)).map((name) => join(page, name))].map((file) => join(root, file));
  for (const folder of inputFolders.map((name) => join(root, name)).filter((path) => existsSync(path))) {
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (entry.isFile() && entry.name.endsWith('.ts')) found.push(join(entry.parentPath, entry.name));
    }
  }
  return found.sort();
}

/** A hash of the paths, times and sizes of all inputs. */
function stamp() {
  const hash = createHash('sha256');
  for (const file of inputs()) {
    const { mtimeMs, size } = statSync(file);
    hash.update(`${relative(root, file).split(sep).join('/')} ${mtimeMs} ${size}\n`);
  }
  return hash.digest('hex');
}

/** Runs one stage; resolves to its output and whether it succeeded. */
function run({ name, args }) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text));
    child.on('error', (error) => resolve({ name, ok: false, output: String(error) }));
    child.on('close', (code) => resolve({ name, ok: code === 0, output }));
  });
}

/** The ids of the sections of a wasm file, in order. */
function sections(bytes) {
  const found = [];
  for (let at = 8; at < bytes.length; ) {
    found.push(bytes[at++]);
    let size = 0;
    for (let shift = 0, byte = 0x80; byte & 0x80; shift += 7) {
      byte = bytes[at++];
      size |= (byte & 0x7f) << shift;
    }
    at += size;
  }
  return found;
}

/** What the kernels may not contain: imports besides the memory, and data, which would overwrite the arena. */
function kernelFault() {
  const bytes = readFileSync(join(root, kernelsWasm));
  const imports = WebAssembly.Module.imports(new WebAssembly.Module(bytes)).map(({ module, name }) => `${module}.${name}`);
  if (imports.join() !== 'env.memory') return `Expected the kernels to import env.memory only, got ${imports.join(', ')}.`;
  const data = 11;
  if (sections(bytes).includes(data)) return 'Expected the kernels to hold no data segment; avoid arrays, strings and function references.';
  return undefined;
}

const options = process.argv.slice(2);
const unknown = options.find((option) => option !== '--if-needed' && option !== '--quiet');
if (unknown !== undefined) {
  console.error(`Expected --if-needed or --quiet, got ${unknown}.`);
  process.exit(2);
}
const started = performance.now();
const wanted = stamp();
if (options.includes('--if-needed') && existsSync(stampFile) && readFileSync(stampFile, 'utf8') === wanted) process.exit(0);

rmSync(join(root, 'dist'), { recursive: true, force: true });
mkdirSync(join(root, 'dist', 'src', 'kernels'), { recursive: true });
cpSync(join(root, page), join(root, 'dist', page), { recursive: true });
const results = await Promise.all(stages.map(run));
for (const { name, output } of results.filter(({ ok }) => !ok)) console.error(`${name} failed:\n${output.trim()}`);
const failed = results.filter(({ ok }) => !ok).map(({ name }) => name);
if (!failed.includes('kernels')) {
  const fault = kernelFault();
  if (fault !== undefined) {
    failed.push('kernels');
    console.error(fault);
  }
}
if (failed.length > 0) process.exit(1);
writeFileSync(stampFile, wanted);
if (!options.includes('--quiet')) {
  const kilobytes = (statSync(join(root, kernelsWasm)).size / 1000).toFixed(1);
  console.log(`Built dist/ (TypeScript, kernels of ${kilobytes} kB) in ${((performance.now() - started) / 1000).toFixed(1)} s.`);
}
