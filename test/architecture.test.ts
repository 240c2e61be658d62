/**
 * Room: tests of the architecture. DESIGN 2 holds for the sources as they are, and each of its checks can fail.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import {
  awaitPattern,
  backArrows,
  importRings,
  importsOf,
  inexactPattern,
  longFiles,
  processPattern,
  roomOf,
  type SourceFile,
  unnamedRooms,
  uses,
  withoutComments,
} from './architecture/rules.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

function read(folder: string): SourceFile[] {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(?:ts|mjs)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .map((file) => ({ path: relative(root, file).split(sep).join('/'), text: readFileSync(file, 'utf8') }))
    .toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

const files = ['src', 'cluster', 'scripts'].flatMap(read);
const src = files.filter(({ path }) => path.startsWith('src/'));
/** AssemblyScript: its Math is compiled into the kernels and so the same everywhere; it has no imports from outside. */
const javascript = files.filter(({ path }) => !path.startsWith('src/kernels/assembly/'));

function without(from: readonly SourceFile[], ...paths: readonly string[]): SourceFile[] {
  for (const path of paths) if (!from.some((file) => file.path === path)) throw new Error(`Expected the excepted file ${path} to exist; drop the exception.`);
  return from.filter(({ path }) => !paths.includes(path));
}

test('the sources are found', (t) => {
  t.true(files.length > 80);
  for (const path of ['src/errors.ts', 'src/train/step.ts', 'scripts/lockstep.ts', 'scripts/build.mjs'])
    t.true(
      files.some((file) => file.path === path),
      path,
    );
});

test('a file imports from its own room or from lower levels only', (t) => {
  t.deepEqual(backArrows(files), []);
});

test('every relative import names a file that exists', (t) => {
  const known = new Set(files.map(({ path }) => path));
  const lost = javascript.flatMap((file) =>
    importsOf(file)
      .filter((target) => !known.has(target))
      .map((target) => `${file.path} -> ${target}`),
  );
  t.deepEqual(lost, []);
});

test('no files import each other in a ring', (t) => {
  t.deepEqual(importRings(javascript), []);
});

test('nothing but scripts looks at arguments, environment or exit', (t) => {
  // fault.ts ends its thread on purpose when a test of supervision asks for a rank that dies: there is no other way.
  const library = without(files, 'src/local/fault.ts').filter(({ path }) => !path.startsWith('scripts/'));
  t.deepEqual(uses(library, processPattern, 'do that in scripts/'), []);
  const worker = files.filter(({ path }) => path === 'src/local/fault.ts');
  t.deepEqual(uses(worker, processPattern, 'do that in scripts/').length, 1, 'only the exit that was asked for');
});

test('only model.summary() writes to the terminal by itself', (t) => {
  // Keras' summary() prints, and so does ours unless it is given a `print`. Everything else in src/ is told where to write.
  const library = without(src, 'src/model/model.ts');
  t.deepEqual(uses(library, /\bconsole\s*\.|\bprocess\s*\.\s*(?:stdout|stderr|stdin)\b/, 'take a function to write with'), []);
});

test('no number comes from an inexact function, a clock or chance', (t) => {
  t.deepEqual(
    uses(
      src.filter(({ path }) => !path.startsWith('src/kernels/assembly/')),
      inexactPattern,
      'use src/numerics',
    ),
    [],
  );
});

test('nothing in a hot path waits for the event loop', (t) => {
  const hot = ['src/kernels/', 'src/layers/', 'src/collectives/', 'src/optimizers/', 'src/train/'];
  t.deepEqual(
    uses(
      files.filter(({ path }) => hot.some((folder) => path.startsWith(folder))),
      awaitPattern,
      'hot paths are synchronous',
    ),
    [],
  );
});

test('every file opens with a comment that says its room', (t) => {
  t.deepEqual(unnamedRooms(files), []);
});

test('no file is longer than 250 lines', (t) => {
  t.deepEqual(longFiles(files), []);
});

const file = (path: string, text = ''): SourceFile => ({ path, text });

test('a room is known by its path', (t) => {
  t.deepEqual(roomOf('src/memory/arena.ts'), { name: 'src/memory/', level: 1 });
  t.deepEqual(roomOf('src/index.ts'), { name: 'src/index.ts', level: 7.5 });
  t.deepEqual(roomOf('scripts/commands/train.ts'), { name: 'scripts/', level: 8 });
  t.is(roomOf('src/misc/helpers.ts'), undefined);
  t.is(roomOf('src/errors.ts.ts'), undefined);
});

test('imports are found in every form, and not in comments', (t) => {
  const text = [
    "import { a } from './a.ts';",
    "import type { B } from '../memory/b.ts';",
    "export * from './c.ts';",
    "import {\n  d,\n} from './deep/d.ts';",
    "import './e.ts';",
    "const f = await import('./f.ts');",
    "new Worker(new URL('./g.js', import.meta.url));",
    "import { h } from 'node:fs';",
    "// import { i } from './i.ts';",
    "/* from './j.ts' */",
    "const url = 'https://example.org'; import { k } from './k.ts';",
  ].join('\n');
  const names = ['a', 'c', 'deep/d', 'e', 'f', 'g', 'k'].map((name) => `src/kernels/${name}.ts`);
  t.deepEqual(importsOf(file('src/kernels/x.ts', text)).toSorted(), [...names, 'src/memory/b.ts'].toSorted());
});

test('comments are stripped and strings are not', (t) => {
  t.is(withoutComments("a; // b\n/* c\n */ 'd // e' /f\\/\\/g/.test(h) `// i`"), "a; \n\n 'd // e' /f\\/\\/g/.test(h) `// i`");
});

test('an arrow up, sideways, to the public face or to nowhere is a break', (t) => {
  const imports = (path: string, target: string): number => backArrows([file(path, `import { x } from '${target}';`)]).length;
  t.is(imports('src/memory/plan.ts', '../errors.ts'), 0);
  t.is(imports('src/memory/plan.ts', './arena.ts'), 0);
  t.is(imports('src/memory/plan.ts', '../numerics/tree.ts'), 1, 'sideways');
  t.is(imports('src/layers/dense.ts', '../collectives/shared.ts'), 1, 'sideways');
  t.is(imports('src/kernels/wasm.ts', '../layers/layer.ts'), 1, 'up');
  t.is(imports('src/errors.ts', './check.ts'), 1, 'up within level 0');
  t.is(imports('src/local/train.ts', '../index.ts'), 1, 'the public face');
  t.is(imports('cluster/host.ts', '../src/index.ts'), 1, 'the public face');
  t.is(imports('cluster/host.ts', '../src/local/train.ts'), 0);
  t.is(imports('scripts/lockstep.ts', '../src/index.ts'), 0);
  t.is(imports('src/interop/keras.ts', '../model/model.ts'), 0);
  t.is(imports('src/model/model.ts', '../interop/keras.ts'), 1);
  t.is(imports('src/memory/plan.ts', '../helpers/x.ts'), 1, 'no room');
  t.deepEqual(backArrows([file('src/helpers/x.ts')]), ['src/helpers/x.ts stands in no room; give its folder a level.']);
  t.deepEqual(backArrows([file('src/memory/plan.ts', "import type { T } from '../layers/layer.ts';")]), [
    'src/memory/plan.ts (level 1) imports src/layers/layer.ts (level 3); import from lower levels only.',
  ]);
});

test('a ring of files is found, however long, and named once', (t) => {
  const ring = ['a', 'b', 'c'].map((name, i, names) => file(`src/layers/${name}.ts`, `import './${names[(i + 1) % 3]}.ts';`));
  t.deepEqual(importRings(ring), ['src/layers/a.ts -> src/layers/b.ts -> src/layers/c.ts -> src/layers/a.ts is a ring.']);
  t.is(importRings([file('src/layers/a.ts', "import './a.ts';")]).length, 1);
  const diamond = [
    file('src/l/a.ts', "import './b.ts'; import './c.ts';"),
    file('src/l/b.ts', "import './d.ts';"),
    file('src/l/c.ts', "import './d.ts';"),
    file('src/l/d.ts'),
  ];
  t.deepEqual(importRings(diamond), []);
});

test('what must not be used is found in code only', (t) => {
  const found = (pattern: RegExp, text: string): number => uses([file('src/a.ts', text)], pattern, 'mend').length;
  for (const text of ['process.argv[2]', 'process.env["A"]', 'process.exit(1)', 'process.exitCode = 1', 'process\n.exit()'.replace('\n', '')])
    t.is(found(processPattern, text), 1, text);
  for (const text of ['process.platform', "'process.exit'", '// process.exit()', 'preprocess.exit()']) t.is(found(processPattern, text), 0, text);
  for (const name of ['random', 'exp', 'log', 'pow', 'cos', 'sin', 'tanh', 'log2', 'hypot']) t.is(found(inexactPattern, `x = Math.${name}(y)`), 1, name);
  for (const text of ['new Date()', 'Date.now()', 'beta ** step', '10 ** 3', 'x**2', '12 ** 3']) t.is(found(inexactPattern, text), 1, text);
  for (const text of ['Math.sqrt(x)', 'Math.floor(x)', 'Math.LN2', '2 ** 31', '2**n', '4 ** bits', '/** Date */', "'Math.exp'", 'log(x)', 'update'])
    t.is(found(inexactPattern, text), 0, text);
  t.is(found(awaitPattern, 'await x; async () => {}'), 2);
  t.is(found(awaitPattern, 'Atomics.waitAsync(awaited); this.#await(1); x.async()'), 0);
  t.deepEqual(uses([file('src/a.ts', 'a;\nb = Math.exp(1);')], inexactPattern, 'mend'), ['src/a.ts:2 uses Math.exp; mend.']);
});

test('a file without its room, or with another room, is found', (t) => {
  const named = (path: string, text: string): boolean => unnamedRooms([file(path, text)]).length === 0;
  t.true(named('src/memory/arena.ts', '/**\n * Room: memory (level 1). The arena.\n */'));
  t.true(named('src/errors.ts', '/**\n * Room: errors (level 0). The codes.\n */'));
  t.true(named('scripts/lockstep.ts', '#!/usr/bin/env node\n/**\n * Room: scripts (level 8). The command line.\n */'));
  t.true(named('scripts/x.ts', '/** Room: scripts (level 8). Short. */'));
  t.false(named('src/memory/arena.ts', "import { x } from './x.ts';\n/**\n * Room: memory (level 1).\n */"));
  t.false(named('src/memory/arena.ts', '/**\n * Room: kernels (level 2). The arena.\n */'));
  t.false(named('src/memory/arena.ts', '/**\n * Room: memory (level 2). The arena.\n */'));
  t.false(named('src/memory/arena.ts', ''));
  t.true(named('src/kernels/assembly/gemm.ts', '/**\n * Room: kernels, in AssemblyScript. The matrix product.\n */'));
});

test('a file of 251 lines is too long', (t) => {
  t.deepEqual(longFiles([file('src/a.ts', 'x\n'.repeat(250))]), []);
  t.deepEqual(longFiles([file('src/a.ts', 'x\n'.repeat(251))]), ['src/a.ts has 251 lines, more than 250; split it.']);
});
