/**
 * Room: tests of checkpoint. Writing from the main thread's side: what comes of a request, one at a time, threads that die, folders
 * that refuse.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'ava';
import { newestVerified, readCheckpointTensors } from '../../src/checkpoint/folder.ts';
import { CheckpointWriter } from '../../src/checkpoint/writer.ts';
import { start } from '../scripts/command.ts';
import { threads, within } from '../toy.ts';
import { newFolder, requestOf, tensorOf } from './snapshots.ts';

test('a checkpoint holds every number of the snapshot, and its record', async (t) => {
  const folder = newFolder(t);
  const writer = new CheckpointWriter(folder);
  t.false(existsSync(folder));
  const request = requestOf(1200, { metric: { name: 'loss', value: Number.NaN } });
  const written = await writer.write(request);
  await writer.close();
  t.is(written.step, 1200);
  t.is(written.folder, join(folder, 'step-000001200'));
  t.is(written.trouble, undefined);
  t.deepEqual(readdirSync(folder).sort(), ['latest', 'step-000001200']);
  t.deepEqual(readdirSync(written.folder).sort(), ['optimizer.safetensors', 'run.json', 'weights.safetensors']);
  t.is(
    written.bytes,
    readdirSync(written.folder).reduce((sum, name) => sum + statSync(join(written.folder, name)).size, 0),
  );
  t.is(readlinkSync(join(folder, 'latest')), 'step-000001200');
  const { found, passedOver } = await newestVerified(folder);
  t.deepEqual(passedOver, []);
  const { files, ...record } = found!.record;
  t.deepEqual(record, { format: 1, ...request.record });
  for (const file of ['weights.safetensors', 'optimizer.safetensors'] as const) {
    const layout = file === 'weights.safetensors' ? request.layout.weights : request.layout.optimizer;
    const expected = layout.map(({ name, shape }): [string, unknown] => [name, { shape, data: tensorOf(request, name) }]);
    t.deepEqual([...readCheckpointTensors(found!, file)], expected as never);
    t.is(files[file].bytes, statSync(join(written.folder, file)).size);
  }
});

const python = `
import json, struct, sys
with open(sys.argv[1], 'rb') as file: data = file.read()
(length,) = struct.unpack('<Q', data[:8])
header = json.loads(data[8:8 + length])
tensors = {}
for name, entry in header.items():
    if name == '__metadata__': continue
    assert entry['dtype'] == 'F32'
    start, end = entry['data_offsets']
    tensors[name] = [entry['shape'], list(struct.unpack('<%df' % ((end - start) // 4), data[8 + length + start:8 + length + end]))]
print(json.dumps([header['__metadata__'], tensors]))
`;

function hasPython(): boolean {
  try {
    execFileSync('python3', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const withPython = hasPython()
  ? test
  : (title: string, implementation: Parameters<typeof test>[1]): void => test.skip(`${title}; NOT TESTED: there is no python3 here`, implementation as never);

withPython('another reader of the published format sees the same numbers', async (t) => {
  const writer = new CheckpointWriter(newFolder(t));
  const request = requestOf(1200, { inputs: 1000 });
  const { folder } = await writer.write(request);
  await writer.close();
  for (const [file, layout] of [
    ['weights.safetensors', request.layout.weights],
    ['optimizer.safetensors', request.layout.optimizer],
  ] as const) {
    const [metadata, tensors] = JSON.parse(execFileSync('python3', ['-c', python, join(folder, file)], { encoding: 'utf8', timeout: 60_000 }));
    t.deepEqual(metadata, { format: 'lockstep', step: '1200' });
    t.deepEqual(tensors, Object.fromEntries(layout.map(({ name, shape }) => [name, [shape, [...tensorOf(request, name)]]])));
  }
});

test('a step that is written again takes the place of the first', async (t) => {
  const folder = newFolder(t);
  const writer = new CheckpointWriter(folder);
  await writer.write(requestOf(5));
  await writer.write({ ...requestOf(5, { runId: 'another' }), keep: 1 });
  t.is((await newestVerified(folder)).found!.record.runId, 'another');
  t.deepEqual(readdirSync(folder).sort(), ['latest', 'step-000000005']);
  await writer.close();
});

test.serial('there is one write at a time, and none after the end', async (t) => {
  const writer = new CheckpointWriter(newFolder(t));
  t.false(writer.busy);
  const first = writer.write(requestOf(1));
  t.true(writer.busy);
  await t.throwsAsync(writer.write(requestOf(2)), { code: 'LOCKSTEP_INTERNAL', message: /another write that is not finished/ });
  const closed = writer.close();
  t.is((await first).step, 1, 'the end waits for the write');
  await closed;
  t.false(writer.busy);
  t.is(threads(), 0);
  await t.throwsAsync(writer.write(requestOf(2)), { code: 'LOCKSTEP_INTERNAL', message: /a closed writer/ });
});

test('what cannot be asked for is a defect, and nothing of it stays', async (t) => {
  const folder = newFolder(t);
  const writer = new CheckpointWriter(folder);
  const request = requestOf(1);
  await t.throwsAsync(writer.write({ ...request, snapshot: new SharedArrayBuffer(16) }), {
    code: 'LOCKSTEP_INTERNAL',
    message: /^Expected tensor `dense\/kernel` to lie in its snapshot/,
  });
  t.deepEqual(readdirSync(folder), []);
  await t.throwsAsync(writer.write(requestOf(1, { run: () => {} })), { code: 'LOCKSTEP_INTERNAL', message: /^Expected a checkpoint's record to be plain data/ });
  t.is((await writer.write(request)).step, 1);
  await writer.close();
});

test('a thread that dies rejects its write, and the next write has another', async (t) => {
  const folder = newFolder(t);
  mkdirSync(folder, { recursive: true });
  const leftover = `.step-000000009.${process.pid}-123456.tmp`;
  writeFileSync(join(folder, leftover), 'of a thread that died');
  const writer = new CheckpointWriter(folder, new URL('./dying-thread.js', import.meta.url));
  const message = `Expected the thread that writes checkpoints to \`${folder}\` to live, but it ended with code 3; the next checkpoint is written by another.`;
  await within(30_000, 'the end of the write', t.throwsAsync(writer.write({ ...requestOf(1), keep: 666 }), { code: 'LOCKSTEP_CHECKPOINT', message }));
  t.false(writer.busy);
  t.true(existsSync(join(folder, leftover)));
  t.is((await writer.write(requestOf(2))).step, 2);
  t.false(existsSync(join(folder, leftover)), 'what it left behind is removed');
  await writer.close();
});

test('an idle writer keeps no process alive, a busy one does', async (t) => {
  const folder = newFolder(t);
  const module = new URL('../../src/checkpoint/writer.js', import.meta.url).href;
  const snapshots = new URL('./snapshots.js', import.meta.url).href;
  const script = `import { CheckpointWriter } from '${module}';
    import { requestOf } from '${snapshots}';
    const writer = new CheckpointWriter(process.argv[1]);
    writer.warmUp();
    writer.write(requestOf(1)).then(({ step }) => console.log(step));`;
  const { code, stdout, stderr } = await start(process.execPath, ['--input-type=module', '-e', script, folder]).end;
  t.deepEqual([code, stdout, stderr], [0, '1\n', '']);
  t.truthy((await newestVerified(folder)).found);
});

test('a folder below a file is refused with the reason', async (t) => {
  const folder = newFolder(t);
  const run = dirname(folder);
  writeFileSync(run, 'a file');
  const writer = new CheckpointWriter(folder);
  await t.throwsAsync(writer.write(requestOf(7)), {
    code: 'LOCKSTEP_CHECKPOINT',
    message: `Expected to write the checkpoint of step 7 to \`${folder}\`, but the system refused (ENOTDIR: not a directory, mkdir); a part of the path is a file: name another folder.`,
  });
  t.is(readFileSync(run, 'utf8'), 'a file');
  rmSync(run);
  t.is((await writer.write(requestOf(7))).step, 7, 'the next write tries anew');
  await writer.close();
});

test('a folder that vanished between two writes is made again', async (t) => {
  const folder = newFolder(t);
  const writer = new CheckpointWriter(folder);
  await writer.write(requestOf(1));
  rmSync(dirname(folder), { recursive: true });
  await writer.write(requestOf(2));
  t.is((await newestVerified(folder)).found!.step, 2);
  await writer.close();
});
