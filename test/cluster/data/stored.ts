/** Room: tests of cluster data. A data set in an arena of its own, its bytes made by a fixed rule. */
import { dataBytes, type StoredData, viewsOf } from '../../../cluster/data/manifest.ts';
import { Arena } from '../../../src/memory/arena.ts';
import { MemoryPlan } from '../../../src/memory/plan.ts';
import type { DataSpec } from '../../../src/model/plan.ts';

/** 9 MiB of inputs and 36 KiB of labels: three chunks, the last of which holds both. */
export const threeChunks: DataSpec = { length: 9 * 1024, inputShape: [32, 32], inputType: 'uint8', scale: 255, targetSize: 0 };

/** Room for a data set of zeros, inputs, labels and weights apart. */
export function emptySet(spec: DataSpec): StoredData {
  const sizes = dataBytes(spec);
  const memory = new MemoryPlan();
  const weights = memory.reserve('data', sizes.all - sizes.inputs - sizes.labels);
  const labels = memory.reserve('data', sizes.labels);
  memory.reserve('control', 192);
  const place = { spec, inputs: memory.reserve('data', sizes.inputs), labels, weights };
  return { arena: Arena.create(memory.bytes), place };
}

/** The same with bytes that a fixed rule gives. */
export function filledSet(spec: DataSpec): StoredData {
  const data = emptySet(spec);
  let state = 1;
  for (const view of viewsOf(data, 0, dataBytes(spec).all)) {
    for (let i = 0; i < view.length; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      view[i] = state >>> 24;
    }
  }
  return data;
}

/** A copy of all bytes: inputs, labels, weights. */
export function bytesOf(data: StoredData): Uint8Array {
  return Buffer.concat(viewsOf(data, 0, dataBytes(data.place.spec).all).map((view) => Uint8Array.from(view)));
}
