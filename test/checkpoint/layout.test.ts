/** Room: tests of checkpoint. A tensor's bytes are those of its place, and none of any other. */
import test from 'ava';
import { tensorBytes } from '../../src/checkpoint/layout.ts';

const snapshot = new SharedArrayBuffer(24);
new Float32Array(snapshot).set([1, 2, 3, 4, 5, 6]);
const at = (shape: readonly number[], offset: number): Uint8Array => tensorBytes(snapshot, { name: 'a/b', shape, offset });

test('a tensor is a view of its place in the snapshot', (t) => {
  const bytes = at([2, 2], 8);
  t.is(bytes.buffer as unknown, snapshot);
  t.deepEqual([...new Float32Array(snapshot, bytes.byteOffset, bytes.length / 4)], [3, 4, 5, 6]);
  t.is(at([], 20).length, 4);
  t.is(at([0], 24).length, 0);
});

test('a tensor outside of its snapshot is refused', (t) => {
  for (const [shape, offset] of [
    [[6], 4],
    [[1], 24],
    [[1], -4],
    [[1], 2],
    [[1], Number.NaN],
    [[Number.POSITIVE_INFINITY], 0],
  ] as const) {
    t.throws(() => at(shape, offset), { code: 'LOCKSTEP_INTERNAL', message: /^Expected tensor `a\/b` to lie in its snapshot of 24 bytes, got .+; report it\.$/ });
  }
});
