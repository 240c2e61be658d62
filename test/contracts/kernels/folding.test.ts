/**
 * Room: tests of kernels. Folding a scale and a shift into a matrix, and the way back for gradients, of every set against the
 * reference, bit for bit; and the two against each other: the folded product and its gradients are those of the long way.
 */
import test from 'ava';
import { agree, floats, zeros } from './agree.ts';
import { arena } from './sets.ts';

const shapes: readonly (readonly [rows: number, columns: number])[] = [
  [0, 5],
  [3, 0],
  [1, 1],
  [2, 3],
  [3, 2],
  [5, 4],
  [4, 7],
  [7, 8],
  [6, 9],
  [17, 19],
  [16, 64],
  [784, 300],
];

/** Outputs that hold something: a kernel that adds to them without clearing fails. */
const used = (count: number): Float32Array => new Float32Array(count).fill(7);

for (const [rows, columns] of shapes) {
  const shape = `(${rows}, ${columns})`;
  const [w, g, bias, db] = [floats(rows * columns), floats(rows * columns), floats(columns, 2), floats(columns)];
  // A channel without scale and one without shift are among them.
  const [gamma, beta] = [floats(rows, 1), floats(rows)];
  gamma[0] = 0;
  beta[rows - 1] = 0;

  test(`fold of ${shape} agrees, with and without bias`, (t) => {
    const outputs = { foldedW: used(rows * columns), foldedBias: used(columns) };
    agree(t, 'with bias', { w, bias, gamma, beta, ...outputs }, (k, at) => k.fold(at.w, at.bias, at.gamma, at.beta, at.foldedW, at.foldedBias, rows, columns));
    agree(t, 'without bias', { w, gamma, beta, ...outputs }, (k, at) => k.fold(at.w, 0, at.gamma, at.beta, at.foldedW, at.foldedBias, rows, columns));
  });

  test(`unfold of ${shape} agrees`, (t) => {
    agree(t, 'gradients', { w, g, db, gamma, beta, dgamma: used(rows), dbeta: used(rows) }, (k, at) =>
      k.unfold(at.w, at.g, at.db, at.gamma, at.beta, at.dgamma, at.dbeta, rows, columns),
    );
  });
}

test('with scale 1 and shift 0 both change nothing', (t) => {
  const [rows, columns] = [5, 11];
  const [w, g, bias, db] = [floats(rows * columns), floats(rows * columns), floats(columns), floats(columns)];
  const gamma = new Float32Array(rows).fill(1);
  const outputs = { foldedW: used(rows * columns), foldedBias: used(columns), dgamma: used(rows), dbeta: used(rows) };
  agree(t, 'identity', { w, g, bias, db, gamma, beta: zeros(rows), ...outputs }, (k, at) => {
    k.fold(at.w, at.bias, at.gamma, at.beta, at.foldedW, at.foldedBias, rows, columns);
    k.unfold(at.w, at.g, at.db, at.gamma, at.beta, at.dgamma, at.dbeta, rows, columns);
    const read = (address: number, count: number): Float32Array => arena.f32.slice(address >>> 2, (address >>> 2) + count) as Float32Array;
    t.deepEqual(read(at.foldedW, rows * columns), w);
    t.deepEqual(read(at.foldedBias, columns), bias);
    t.deepEqual(read(at.g, rows * columns), g);
  });
});

test('what is folded and unfolded is what the formulas say, in float64', (t) => {
  const [rows, columns] = [9, 6];
  const [w, g, bias, db] = [floats(rows * columns), floats(rows * columns), floats(columns), floats(columns)];
  const [gamma, beta] = [floats(rows, 1), floats(rows, 3)];
  const outputs = { foldedW: used(rows * columns), foldedBias: used(columns), dgamma: used(rows), dbeta: used(rows) };
  const sum = (count: number, term: (i: number) => number): number => Array.from({ length: count }, (_, i) => term(i)).reduce((a, b) => a + b, 0);
  agree(t, 'formulas', { w, g, bias, db, gamma, beta, ...outputs }, (k, at) => {
    k.fold(at.w, at.bias, at.gamma, at.beta, at.foldedW, at.foldedBias, rows, columns);
    k.unfold(at.w, at.g, at.db, at.gamma, at.beta, at.dgamma, at.dbeta, rows, columns);
    const near = (address: number, i: number, expected: number, what: string): void => {
      const actual = arena.f32[(address >>> 2) + i]!;
      t.true(Math.abs(actual - expected) <= 2e-6 * (1 + Math.abs(expected)), `${k.set}: ${what}[${i}] is ${actual}, expected ${expected}`);
    };
    for (let c = 0; c < columns; c++) near(at.foldedBias, c, bias[c]! + sum(rows, (r) => beta[r]! * w[r * columns + c]!), 'foldedBias');
    for (let r = 0; r < rows; r++) {
      near(
        at.dgamma,
        r,
        sum(columns, (c) => w[r * columns + c]! * g[r * columns + c]!),
        'dgamma',
      );
      near(
        at.dbeta,
        r,
        sum(columns, (c) => w[r * columns + c]! * db[c]!),
        'dbeta',
      );
      for (let i = r * columns; i < (r + 1) * columns; i++) {
        near(at.foldedW, i, gamma[r]! * w[i]!, 'foldedW');
        near(at.g, i, gamma[r]! * g[i]! + beta[r]! * db[i - r * columns]!, 'g');
      }
    }
  });
});
