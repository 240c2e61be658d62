/**
 * Room: tests of checkpoint. What is read back: a flipped bit anywhere is found and named and the checkpoint before is taken; lists
 * say everything of every checkpoint.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { listCheckpoints, newestVerified } from '../../src/checkpoint/folder.ts';
import { CheckpointWriter } from '../../src/checkpoint/writer.ts';
import { newFolder, requestOf } from './snapshots.ts';

async function folderWith(t: ExecutionContext, ...steps: number[]): Promise<string> {
  const folder = newFolder(t);
  const writer = new CheckpointWriter(folder);
  for (const step of steps) await writer.write(requestOf(step, { keep: steps.length }));
  await writer.close();
  return folder;
}

test('a folder that is missing or empty has no checkpoint', async (t) => {
  const folder = newFolder(t);
  t.deepEqual(await newestVerified(folder), { passedOver: [] });
  t.deepEqual(await listCheckpoints(folder), []);
  mkdirSync(join(folder, 'step-12'), { recursive: true });
  mkdirSync(join(folder, '.step-000000012.1-1.tmp'));
  t.deepEqual(await newestVerified(folder), { passedOver: [] });
});

test('a folder that cannot be read is named', async (t) => {
  const folder = await folderWith(t, 1);
  const path = join(folder, 'step-000000001', 'run.json');
  const message = `Expected to read the checkpoints of \`${path}\`, but the system refused (ENOTDIR); check the path.`;
  await t.throwsAsync(newestVerified(path), { code: 'LOCKSTEP_CHECKPOINT', message });
});

test('a flip of any single bit in any file is found and named, and the checkpoint before is taken', async (t) => {
  const folder = await folderWith(t, 10, 20);
  for (const file of ['run.json', 'weights.safetensors', 'optimizer.safetensors']) {
    const path = join(folder, 'step-000000020', file);
    const bytes = readFileSync(path);
    const bit = fc.nat(8 * bytes.length - 1);
    await fc.assert(
      fc.asyncProperty(bit, async (at) => {
        const flipped = Buffer.from(bytes);
        flipped[at >> 3]! ^= 1 << (at & 7);
        writeFileSync(path, flipped);
        const { found, passedOver } = await newestVerified(folder);
        t.is(found?.step, 10);
        t.is(passedOver.length, 1);
        t.is(passedOver[0]!.folder, join(folder, 'step-000000020'));
        t.true(passedOver[0]!.reason.startsWith(`${file}: `), passedOver[0]!.reason);
      }),
      { examples: [[0], [8 * bytes.length - 1]] },
    );
    writeFileSync(path, bytes);
    t.is((await newestVerified(folder)).found?.step, 20);
  }
});

const hash = '[0-9a-f]{64}';
const damages: [what: string, damage: (path: string) => void, reason: RegExp][] = [
  ['without its record', (path) => rmSync(join(path, 'run.json')), /^run\.json: expected a file, got none$/],
  ['without its weights', (path) => rmSync(join(path, 'weights.safetensors')), /^weights\.safetensors: expected a file, got none$/],
  ['cut short', (path) => truncateSync(join(path, 'optimizer.safetensors'), 100), /^optimizer\.safetensors: expected \d+ bytes, got 100$/],
  ['with a folder for a file', (path) => swapForFolder(join(path, 'run.json')), /^run\.json: expected to read it, but the system refused \(EISDIR\)$/],
  [
    'with other weights of the same length',
    (path) => writeFileSync(join(path, 'weights.safetensors'), readFileSync(join(path, 'weights.safetensors')).fill(1, 200)),
    new RegExp(`^weights\\.safetensors: expected SHA-256 ${hash}, got ${hash}$`),
  ],
  ['that is empty', (path) => swapForFolder(path), /^run\.json: expected a file, got none$/],
];

function swapForFolder(path: string): void {
  rmSync(path, { recursive: true });
  mkdirSync(path);
}

for (const [what, damage, reason] of damages) {
  test(`a checkpoint ${what} is passed over with the reason`, async (t) => {
    const folder = await folderWith(t, 10, 20);
    damage(join(folder, 'step-000000020'));
    const { found, passedOver } = await newestVerified(folder);
    t.is(found?.step, 10);
    t.is(passedOver.length, 1);
    t.regex(passedOver[0]!.reason, reason);
    const [newest, before] = await listCheckpoints(folder);
    t.like(newest, { verified: false, step: 20, latest: true, reason: passedOver[0]!.reason });
    t.like(before, { verified: true, step: 10, latest: false });
  });
}

test('a checkpoint under the name of another step is passed over', async (t) => {
  const folder = await folderWith(t, 10, 20);
  renameSync(join(folder, 'step-000000020'), join(folder, 'step-000000030'));
  t.deepEqual((await newestVerified(folder)).passedOver, [{ folder: join(folder, 'step-000000030'), reason: 'run.json: expected step 30, got 20' }]);
});

test('a checkpoint that was set aside for another of its step counts when that one is not there, or damaged', async (t) => {
  const folder = await folderWith(t, 10, 20);
  const [plain, aside] = [join(folder, 'step-000000020'), join(folder, 'step-000000020.old')];
  renameSync(plain, aside);
  t.like((await newestVerified(folder)).found, { step: 20, folder: aside });
  mkdirSync(plain);
  t.like(await newestVerified(folder), { found: { step: 20, folder: aside }, passedOver: [{ folder: plain }] });
});

test('a list says of every checkpoint what it is, newest first', async (t) => {
  const folder = await folderWith(t, 10, 30, 20);
  symlinkSync('step-000000010', join(folder, 'best'));
  const listed = await listCheckpoints(folder);
  t.deepEqual(
    listed.map(({ step, best, latest, verified }) => ({ step, best, latest, verified })),
    [
      { step: 30, best: false, latest: false, verified: true },
      { step: 20, best: false, latest: true, verified: true },
      { step: 10, best: true, latest: false, verified: true },
    ],
  );
  for (const { folder: path, bytes, record, writtenAtMs, step } of listed) {
    t.is(record?.step, step);
    t.true(writtenAtMs > 1.6e12);
    t.is(
      bytes,
      ['run.json', 'weights.safetensors', 'optimizer.safetensors'].map((file) => readFileSync(join(path, file)).length).reduce((a, b) => a + b),
    );
  }
});
