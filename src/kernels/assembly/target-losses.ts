/**
 * Room: kernels, in AssemblyScript. Losses on target values, each with its gradient: formulas in float64, columns in the fixed lane
 * order of `softmax.ts` or one by one, rows in row order. A NaN or infinite prediction always shows in the sum: where a formula would
 * hide it, p - p is added. It writes only its outputs.
 */
import { d2, expWide, high, loadPart, log, log1pWide, low, narrow, storePart } from './math';
import { expSum, rowMaximum } from './softmax';

/** The contract's `targetLossCode`. */
const meanAbsoluteError: i32 = 0;
const huber: i32 = 1;
const hinge: i32 = 2;
const squaredHinge: i32 = 3;
const binaryCrossentropy: i32 = 4;
const kullbackLeiblerDivergence: i32 = 5;

/** Keras' epsilon: probabilities are clipped to [epsilon, 1]. */
const epsilon: f64 = 1e-7;

export function targetLoss(code: i32, parameter: f64, p: usize, t: usize, dp: usize, rows: i32, columns: i32, divisor: f64, sums: usize): void {
  switch (code) {
    case meanAbsoluteError:
      store<f64>(sums, sumOf(meanAbsoluteError, parameter, p, t, dp, rows, columns, divisor));
      break;
    case huber:
      store<f64>(sums, sumOf(huber, parameter, p, t, dp, rows, columns, divisor));
      break;
    case hinge:
      store<f64>(sums, sumOf(hinge, parameter, p, t, dp, rows, columns, divisor));
      break;
    case squaredHinge:
      store<f64>(sums, sumOf(squaredHinge, parameter, p, t, dp, rows, columns, divisor));
      break;
    case binaryCrossentropy:
      store<f64>(sums, sumOf(binaryCrossentropy, parameter, p, t, dp, rows, columns, divisor));
      break;
    default:
      store<f64>(sums, sumOf(kullbackLeiblerDivergence, parameter, p, t, dp, rows, columns, divisor));
  }
  store<f64>(sums, 0, 8);
}

/** `code` is a constant at every call: the compiler leaves one formula in each loop. */
// @ts-ignore: decorator
@inline
function sumOf(code: i32, parameter: f64, p: usize, t: usize, dp: usize, rows: i32, columns: i32, divisor: f64): f64 {
  let loss: f64 = 0;
  if (columns <= 0) rows = 0;
  const share: f64 = code == kullbackLeiblerDivergence ? 1 : <f64>columns;
  const factor = d2(1 / (share * divisor));
  const q = d2(parameter);
  const part = columns & 3;
  const bytes = <usize>columns << 2;
  const whole = bytes - (<usize>part << 2);
  const used = i64x2(-1, part > 1 ? -1 : 0);
  const usedHigh = i64x2(part > 2 ? -1 : 0, 0);
  for (let row = 0; row < rows; row++) {
    let sum = d2(0);
    let sumHigh = d2(0);
    for (let at: usize = 0; at < whole; at += 16) {
      const a = v128.load(p + at);
      const b = v128.load(t + at);
      sum = f64x2.add(sum, value(code, q, low(a), low(b)));
      sumHigh = f64x2.add(sumHigh, value(code, q, high(a), high(b)));
      if (dp != 0) v128.store(dp + at, narrow(f64x2.mul(slope(code, q, low(a), low(b)), factor), f64x2.mul(slope(code, q, high(a), high(b)), factor)));
    }
    if (part != 0) {
      const a = loadPart(p + whole, part);
      const b = loadPart(t + whole, part);
      sum = f64x2.add(sum, v128.and(value(code, q, low(a), low(b)), used));
      sumHigh = f64x2.add(sumHigh, v128.and(value(code, q, high(a), high(b)), usedHigh));
      if (dp != 0) storePart(dp + whole, narrow(f64x2.mul(slope(code, q, low(a), low(b)), factor), f64x2.mul(slope(code, q, high(a), high(b)), factor)), part);
    }
    sum = f64x2.add(sum, sumHigh);
    loss += (f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1)) / share;
    p += bytes;
    t += bytes;
    if (dp != 0) dp += bytes;
  }
  return loss;
}

/** f(p, t) of two numbers. */
// @ts-ignore: decorator
@inline
function value(code: i32, q: v128, p: v128, t: v128): v128 {
  if (code == meanAbsoluteError) return f64x2.abs(f64x2.sub(p, t));
  if (code == huber) {
    const size = f64x2.abs(f64x2.sub(p, t));
    const square = f64x2.mul(d2(0.5), f64x2.mul(size, size));
    return v128.bitselect(square, f64x2.mul(q, f64x2.sub(size, f64x2.mul(d2(0.5), q))), f64x2.le(size, q));
  }
  if (code == hinge) return f64x2.add(f64x2.pmax(margin(p, signOf(t)), d2(0)), f64x2.sub(p, p));
  if (code == squaredHinge) {
    const cut = f64x2.pmax(margin(p, signOf(t)), d2(0));
    return f64x2.add(f64x2.mul(cut, cut), f64x2.sub(p, p));
  }
  if (code == binaryCrossentropy) {
    const straight = f64x2.sub(f64x2.pmax(p, d2(0)), f64x2.mul(p, smoothed(t, q)));
    return f64x2.add(straight, log1pWide(expWide(f64x2.pmax(f64x2.neg(f64x2.abs(p)), d2(-700)))));
  }
  const target = clipped(t);
  return f64x2.add(f64x2.mul(target, f64x2.sub(logs(target), logs(clipped(p)))), f64x2.sub(p, p));
}

/** f'(p, t) of two numbers, by p. */
// @ts-ignore: decorator
@inline
function slope(code: i32, q: v128, p: v128, t: v128): v128 {
  if (code == meanAbsoluteError) {
    const error = f64x2.sub(p, t);
    return f64x2.sub(v128.and(f64x2.gt(error, d2(0)), d2(1)), v128.and(f64x2.lt(error, d2(0)), d2(1)));
  }
  if (code == huber) return f64x2.pmin(f64x2.pmax(f64x2.sub(p, t), f64x2.neg(q)), q);
  if (code == hinge) {
    const sign = signOf(t);
    return v128.and(f64x2.neg(sign), f64x2.ge(margin(p, sign), d2(0)));
  }
  if (code == squaredHinge) {
    const sign = signOf(t);
    return f64x2.mul(f64x2.mul(d2(-2), sign), f64x2.pmax(margin(p, sign), d2(0)));
  }
  if (code == binaryCrossentropy) {
    const target = smoothed(t, q);
    const e = expWide(f64x2.pmax(f64x2.neg(f64x2.abs(p)), d2(-700)));
    const share = f64x2.div(e, f64x2.add(d2(1), e));
    // The sigmoid is `share` below 0 and 1 - share above: each difference keeps its full relative accuracy.
    return v128.bitselect(f64x2.sub(share, target), f64x2.sub(f64x2.sub(d2(1), target), share), f64x2.lt(p, d2(0)));
  }
  const inside = v128.and(f64x2.ge(p, d2(epsilon)), f64x2.le(p, d2(1)));
  return v128.and(f64x2.neg(f64x2.div(clipped(t), clipped(p))), inside);
}

/** The side of a target: itself, but -1 for 0. */
// @ts-ignore: decorator
@inline
function signOf(t: v128): v128 {
  return v128.bitselect(d2(-1), t, f64x2.eq(t, d2(0)));
}

// @ts-ignore: decorator
@inline
function margin(p: v128, sign: v128): v128 {
  return f64x2.sub(d2(1), f64x2.mul(sign, p));
}

// @ts-ignore: decorator
@inline
function smoothed(t: v128, smoothing: v128): v128 {
  return f64x2.add(f64x2.mul(t, f64x2.sub(d2(1), smoothing)), f64x2.mul(d2(0.5), smoothing));
}

// @ts-ignore: decorator
@inline
function clipped(x: v128): v128 {
  return f64x2.pmin(f64x2.pmax(x, d2(epsilon)), d2(1));
}

// @ts-ignore: decorator
@inline
function logs(x: v128): v128 {
  return f64x2(log(f64x2.extract_lane(x, 0)), log(f64x2.extract_lane(x, 1)));
}

/** loss = total log(sum e^(x - m)) - sum t' (x - m), m the row's largest logit, total = sum t'; dlogits = (e^(x - m) total / sum - t') / divisor. */
export function categoricalCrossentropy(logits: usize, t: usize, dlogits: usize, rows: i32, columns: i32, smoothing: f64, divisor: f64, sums: usize): void {
  let loss: f64 = 0;
  if (columns <= 0) rows = 0;
  const bytes = <usize>columns << 2;
  const keep = 1 - smoothing;
  const floor = smoothing / <f64>columns;
  for (let row = 0; row < rows; row++) {
    const maximum = rowMaximum(logits, columns);
    let total: f64 = 0;
    let inner: f64 = 0;
    for (let at: usize = 0; at < bytes; at += 4) {
      const target = <f64>load<f32>(t + at) * keep + floor;
      total += target;
      inner += target * (<f64>load<f32>(logits + at) - <f64>maximum);
    }
    const sum = expSum(logits, dlogits, columns, maximum);
    loss += total * (sum - sum == 0 ? log(sum) : NaN) - inner;
    if (dlogits != 0) {
      const share = total / sum;
      for (let at: usize = 0; at < bytes; at += 4) {
        const target = <f64>load<f32>(t + at) * keep + floor;
        store<f32>(dlogits + at, <f32>((<f64>load<f32>(dlogits + at) * share - target) / divisor));
      }
      dlogits += bytes;
    }
    logits += bytes;
    t += bytes;
  }
  store<f64>(sums, loss);
  store<f64>(sums, 0, 8);
}

export function categoricalHinge(p: usize, t: usize, dp: usize, rows: i32, columns: i32, divisor: f64, sums: usize): void {
  let loss: f64 = 0;
  if (columns <= 0) rows = 0;
  const bytes = <usize>columns << 2;
  for (let row = 0; row < rows; row++) {
    let right: f64 = 0;
    let wrong: f64 = -Infinity;
    let wrongAt: usize = 0;
    for (let at: usize = 0; at < bytes; at += 4) {
      const x = <f64>load<f32>(p + at);
      const target = <f64>load<f32>(t + at);
      right += target * x + (x - x);
      const candidate = (1 - target) * x;
      if (candidate > wrong) {
        wrong = candidate;
        wrongAt = at;
      }
    }
    const margin = 1 + wrong - right;
    loss += margin < 0 ? 0 : margin;
    if (dp != 0) {
      for (let at: usize = 0; at < bytes; at += 4) {
        const target = <f64>load<f32>(t + at);
        store<f32>(dp + at, margin >= 0 ? <f32>(((at == wrongAt ? 1 - target : 0) - target) / divisor) : 0);
      }
      dp += bytes;
    }
    p += bytes;
    t += bytes;
  }
  store<f64>(sums, loss);
  store<f64>(sums, 0, 8);
}
