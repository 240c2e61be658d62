/**
 * Room: tests of checkpoint. A small model's snapshot and record, and a folder of checkpoints of a test's own.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import type { SnapshotLayout, TensorAt } from '../../src/checkpoint/layout.ts';
import type { CheckpointRecord } from '../../src/checkpoint/record.ts';
import type { WriteRequest } from '../../src/checkpoint/writer.ts';
import { sizeOf } from '../../src/memory/shape.ts';
import { numbers } from '../toy.ts';

/** The path of a `checkpoints` folder that is not there yet; what comes of it goes when the test ends. */
export function newFolder(t: ExecutionContext): string {
  const parent = mkdtempSync(join(tmpdir(), 'lockstep-checkpoints-'));
  t.teardown(() => rmSync(parent, { recursive: true, force: true }));
  return join(parent, 'run', 'checkpoints');
}

/** A dense layer of `inputs` x 3 with one vector of the optimizer for each weight, and a gap between any two tensors. */
export function layoutOf(inputs: number): { readonly layout: SnapshotLayout; readonly bytes: number } {
  let bytes = 0;
  const at = (name: string, shape: readonly number[]): TensorAt => {
    const offset = bytes + 8;
    bytes = offset + 4 * sizeOf(shape);
    return { name, shape, offset };
  };
  const weights = [at('dense/kernel', [inputs, 3]), at('dense/bias', [3])];
  const optimizer = weights.map(({ name, shape }) => at(`${name}/momentum`, shape));
  return { layout: { weights, optimizer }, bytes };
}

const hash = (letter: string): string => letter.repeat(64);

export function recordOf(step: number, changes: Partial<CheckpointRecord> = {}): Omit<CheckpointRecord, 'format' | 'files'> {
  return {
    runId: '0f8fad5b',
    step,
    epoch: 2,
    cursor: 7,
    updates: step,
    skippedInARow: 0,
    epochSums: { loss: 12.375, correct: 100, rows: 350 },
    seed: 1,
    shards: 4,
    learningRate: 0.05,
    fingerprint: hash('a'),
    data: { train: hash('b') },
    run: { model: { layers: [{ type: 'dense', units: 3 }] }, batchSize: 50 },
    epochs: [{ event: 'epoch', epoch: 0, loss: 0.5 }],
    ...changes,
  };
}

/** A request of which all numbers follow from the step. */
export function requestOf(step: number, { inputs = 4, keep = 3, ...changes }: Partial<CheckpointRecord> & { inputs?: number; keep?: number } = {}): WriteRequest {
  const { layout, bytes } = layoutOf(inputs);
  const snapshot = new SharedArrayBuffer(bytes);
  new Float32Array(snapshot).set(numbers(bytes / 4, step));
  return { snapshot, layout, record: recordOf(step, changes), keep };
}

/** The numbers that a tensor of the request holds. */
export function tensorOf({ snapshot, layout }: WriteRequest, name: string): Float32Array {
  const { shape, offset } = [...layout.weights, ...layout.optimizer].find((tensor) => tensor.name === name)!;
  return new Float32Array(snapshot, offset, sizeOf(shape)).slice();
}
