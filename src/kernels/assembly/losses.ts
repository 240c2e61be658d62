/**
 * Room: kernels, in AssemblyScript. The losses that have kernels of their own, each with its gradient.
 * It promises float64 sums: columns in the fixed lane order of `softmax.ts`, rows in row order. A NaN or infinite
 * prediction always shows in the sum. It writes only its outputs, and never reads beyond the row for a label outside
 * [0, columns): such a row's loss and gradient are NaN.
 */
import { d2, high, loadPart, log, low, narrow, storePart } from './math';
import { expSum, rowMaximum, scaleRow } from './softmax';

/**
 * loss = log(sum e^(x - m)) - (x[label] - m), m the row's largest logit; dlogits = (e^(x - m) / sum - onehot) / divisor.
 * A row is correct when x[label] = m and no earlier logit is; a row without a finite sum is not.
 */
export function sparseCrossentropy(logits: usize, labels: usize, dlogits: usize, rows: i32, columns: i32, divisor: f64, sums: usize): void {
  let loss: f64 = 0;
  let correct = 0;
  if (columns <= 0) rows = 0;
  const bytes = <usize>columns << 2;
  for (let row = 0; row < rows; row++) {
    const label = load<i32>(labels + (<usize>row << 2));
    const known = <u32>label < <u32>columns;
    const at = <usize>label << 2;
    const maximum = rowMaximum(logits, columns);
    const chosen: f32 = known ? load<f32>(logits + at) : NaN;
    let first = logits;
    if (chosen == maximum) {
      while (load<f32>(first) != chosen) first += 4;
    }
    const leads = chosen == maximum && first == logits + at;
    const sum = expSum(logits, dlogits, columns, maximum);
    const finite = sum - sum == 0;
    correct += <i32>(leads && finite);
    loss += (finite ? log(sum) : NaN) - (<f64>chosen - <f64>maximum);
    if (dlogits != 0) {
      const shared: f64 = known ? 1 / sum : NaN;
      const own = known ? (<f64>load<f32>(dlogits + at) * shared - 1) / divisor : 0;
      scaleRow(dlogits, columns, shared / divisor);
      if (known) store<f32>(dlogits + at, <f32>own);
      dlogits += bytes;
    }
    logits += bytes;
  }
  store<f64>(sums, loss);
  store<f64>(sums, <f64>correct, 8);
}

/** loss of a row = sum (p - t)^2 / columns; dp = 2 (p - t) / (columns divisor); difference and products in float64. */
export function meanSquaredError(p: usize, t: usize, dp: usize, rows: i32, columns: i32, divisor: f64, sums: usize): void {
  let loss: f64 = 0;
  if (columns <= 0) rows = 0;
  const part = columns & 3;
  const bytes = <usize>columns << 2;
  const whole = bytes - (<usize>part << 2);
  const factor = d2(2 / (<f64>columns * divisor));
  for (let row = 0; row < rows; row++) {
    let squares = d2(0);
    let squaresHigh = d2(0);
    for (let at: usize = 0; at < whole; at += 16) {
      const a = v128.load(p + at);
      const b = v128.load(t + at);
      const d = f64x2.sub(low(a), low(b));
      const dHigh = f64x2.sub(high(a), high(b));
      squares = f64x2.add(squares, f64x2.mul(d, d));
      squaresHigh = f64x2.add(squaresHigh, f64x2.mul(dHigh, dHigh));
      if (dp != 0) v128.store(dp + at, narrow(f64x2.mul(d, factor), f64x2.mul(dHigh, factor)));
    }
    if (part != 0) {
      const a = loadPart(p + whole, part);
      const b = loadPart(t + whole, part);
      const d = f64x2.sub(low(a), low(b));
      const dHigh = f64x2.sub(high(a), high(b));
      squares = f64x2.add(squares, f64x2.mul(d, d));
      squaresHigh = f64x2.add(squaresHigh, f64x2.mul(dHigh, dHigh));
      if (dp != 0) storePart(dp + whole, narrow(f64x2.mul(d, factor), f64x2.mul(dHigh, factor)), part);
    }
    squares = f64x2.add(squares, squaresHigh);
    loss += (f64x2.extract_lane(squares, 0) + f64x2.extract_lane(squares, 1)) / <f64>columns;
    p += bytes;
    t += bytes;
    if (dp != 0) dp += bytes;
  }
  store<f64>(sums, loss);
  store<f64>(sums, 0, 8);
}
