/**
 * Room: kernels, in AssemblyScript. The loops of the elementwise activations over the formulas of `formulas.ts`.
 * It promises that an element's bits depend neither on its place in the tensor nor on the shape: whole vectors and the
 * last 1 to 3 numbers of a row go through the same formula. It never touches memory outside its arguments.
 */
import { Elu, Gelu, LeakyRelu, Linear, Relu, Selu, Sigmoid, Softplus, Swish, Tanh } from './formulas';
import { f4, loadPart, storePart } from './math';

export { softmax, softmaxBackward } from './softmax';

/** One pass over `rows` rows of `columns` numbers, each row with the same bias; see `biasActivation`. */
function forwardRows<F>(alpha: f32, x: usize, bias: usize, y: usize, rows: i32, columns: i32): void {
  const formula = changetype<F>(0);
  const slope = f4(alpha);
  const part = columns & 3;
  const bytes = <usize>columns << 2;
  const whole = bytes - (<usize>part << 2);
  const keep = bias != 0 && x != y;
  for (let row = 0; row < rows; row++) {
    let at: usize = 0;
    for (; at + 16 < whole; at += 32) {
      let z = v128.load(x + at);
      let next = v128.load(x + at, 16);
      if (bias != 0) {
        z = f32x4.add(z, v128.load(bias + at));
        next = f32x4.add(next, v128.load(bias + at, 16));
      }
      if (keep) {
        v128.store(x + at, z);
        v128.store(x + at, next, 16);
      }
      v128.store(y + at, formula.forward(z, slope));
      v128.store(y + at, formula.forward(next, slope), 16);
    }
    if (at < whole) {
      let z = v128.load(x + at);
      if (bias != 0) z = f32x4.add(z, v128.load(bias + at));
      if (keep) v128.store(x + at, z);
      v128.store(y + at, formula.forward(z, slope));
    }
    if (part != 0) {
      let z = loadPart(x + whole, part);
      if (bias != 0) z = f32x4.add(z, loadPart(bias + whole, part));
      if (keep) storePart(x + whole, z, part);
      storePart(y + whole, formula.forward(z, slope), part);
    }
    x += bytes;
    y += bytes;
  }
}

/** z = x + bias, y = f(z); z is written back to x unless y = x. Without a bias the tensor is one long row. */
export function biasActivation(code: i32, alpha: f32, x: usize, bias: usize, y: usize, rows: i32, columns: i32): void {
  if (rows <= 0 || columns <= 0) return;
  if (bias == 0) {
    columns *= rows;
    rows = 1;
    if (code == 0 && x == y) return;
  }
  switch (code) {
    case 1: return forwardRows<Relu>(alpha, x, bias, y, rows, columns);
    case 2: return forwardRows<LeakyRelu>(alpha, x, bias, y, rows, columns);
    case 3: return forwardRows<Elu>(alpha, x, bias, y, rows, columns);
    case 4: return forwardRows<Selu>(alpha, x, bias, y, rows, columns);
    case 5: return forwardRows<Gelu>(alpha, x, bias, y, rows, columns);
    case 6: return forwardRows<Swish>(alpha, x, bias, y, rows, columns);
    case 7: return forwardRows<Softplus>(alpha, x, bias, y, rows, columns);
    case 8: return forwardRows<Tanh>(alpha, x, bias, y, rows, columns);
    case 9: return forwardRows<Sigmoid>(alpha, x, bias, y, rows, columns);
    default: return forwardRows<Linear>(alpha, x, bias, y, rows, columns);
  }
}

/** One pass over `count` numbers; `source` is z or y, whichever the formula's derivative is taken from. */
function backwardCount<F>(alpha: f32, dy: usize, source: usize, dx: usize, count: i32): void {
  const formula = changetype<F>(0);
  const slope = f4(alpha);
  const part = count & 3;
  const whole = <usize>(count - part) << 2;
  for (let at: usize = 0; at < whole; at += 16) {
    v128.store(dx + at, formula.backward(v128.load(dy + at), v128.load(source + at), slope));
  }
  if (part != 0) {
    storePart(dx + whole, formula.backward(loadPart(dy + whole, part), loadPart(source + whole, part), slope), part);
  }
}

/** dx = dy f'(z), in place allowed. */
export function activationBackward(code: i32, alpha: f32, dy: usize, z: usize, y: usize, dx: usize, count: i32): void {
  if (count <= 0) return;
  switch (code) {
    case 1: return backwardCount<Relu>(alpha, dy, y, dx, count);
    case 2: return backwardCount<LeakyRelu>(alpha, dy, y, dx, count);
    case 3: return backwardCount<Elu>(alpha, dy, y, dx, count);
    case 4: return backwardCount<Selu>(alpha, dy, y, dx, count);
    case 5: return backwardCount<Gelu>(alpha, dy, z, dx, count);
    case 6: return backwardCount<Swish>(alpha, dy, z, dx, count);
    case 7: return backwardCount<Softplus>(alpha, dy, z, dx, count);
    case 8: return backwardCount<Tanh>(alpha, dy, y, dx, count);
    case 9: return backwardCount<Sigmoid>(alpha, dy, y, dx, count);
    default:
      if (dx != dy) memory.copy(dx, dy, <usize>count << 2);
  }
}
