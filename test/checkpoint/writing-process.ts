/**
 * Room: tests of checkpoint. A process that writes checkpoints to a folder until it is killed: `FOLDER INPUTS`. It goes on from the
 * newest one, which it writes again, and says the step of each on a line.
 */
import { newestVerified } from '../../src/checkpoint/folder.ts';
import { CheckpointWriter } from '../../src/checkpoint/writer.ts';
import { requestOf } from './snapshots.ts';

const [folder, inputs] = process.argv.slice(2) as [string, string];
const writer = new CheckpointWriter(folder);
const { found } = await newestVerified(folder);
for (let step = found?.step ?? 1; ; step++) {
  // Every step twice: the second takes the place of the first.
  for (const runId of ['first', 'second']) {
    await writer.write({ ...requestOf(step, { inputs: Number(inputs), keep: 2, runId, metric: { name: 'loss', value: step % 5 } }), best: 'lowest' });
    process.stdout.write(`${step}\n`);
  }
}
