/** Room: tests of memory. What the thread of `arena.test.ts` runs: half a unit is added to what it finds. */
import { workerData } from 'node:worker_threads';
import { Arena } from '../../src/memory/arena.ts';

const { f32, f64 } = new Arena(workerData as WebAssembly.Memory);
f64[3] = f32[5]! + 0.5;
