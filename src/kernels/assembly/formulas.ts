/**
 * Room: kernels, in AssemblyScript. The formulas of the activations on four float32: `forward` is y = f(z), `backward` is
 * dy f'(z), of z for gelu, swish and softplus, of y for the others. Each is a class without data, so that a loop that is
 * generic over it compiles to a function of its own with the formula inside. They never touch memory.
 */
import { d2, expLowered, expm1, expWide, f4, high, log1pWide, logisticDenominator, low, narrow, normalTail, onePlusExp, unlift } from './math';

const seluScale: f32 = 1.0507009873554805;
const seluScaleAlpha: f32 = 1.7580993408473766;

/** y = z. */
// @ts-ignore: decorator
@unmanaged
export class Linear {
  // @ts-ignore: decorator
  @inline
  forward(z: v128, alpha: v128): v128 {
    return z;
  }
  // @ts-ignore: decorator
  @inline
  backward(dy: v128, v: v128, alpha: v128): v128 {
    return dy;
  }
}

/** y = max(z, 0). */
// @ts-ignore: decorator
@unmanaged
export class Relu {
  // @ts-ignore: decorator
  @inline
  forward(z: v128, alpha: v128): v128 {
    return f32x4.pmax(z, f4(0));
  }
  // @ts-ignore: decorator
  @inline
  backward(dy: v128, v: v128, alpha: v128): v128 {
    return f32x4.mul(dy, v128.and(f4(1), f32x4.gt(v, f4(0))));
  }
}

/** y = z >= 0 ? z : alpha z. */
// @ts-ignore: decorator
@unmanaged
export class LeakyRelu {
  // @ts-ignore: decorator
  @inline
  forward(z: v128, alpha: v128): v128 {
    return v128.bitselect(z, f32x4.mul(z, alpha), f32x4.ge(z, f4(0)));
  }
  // @ts-ignore: decorator
  @inline
  backward(dy: v128, v: v128, alpha: v128): v128 {
    return v128.bitselect(dy, f32x4.mul(dy, alpha), f32x4.gt(v, f4(0)));
  }
}

/** y = z >= 0 ? z : alpha (e^z - 1). */
// @ts-ignore: decorator
@unmanaged
export class Elu {
  // @ts-ignore: decorator
  @inline
  forward(z: v128, alpha: v128): v128 {
    return v128.bitselect(z, f32x4.mul(alpha, expm1(z)), f32x4.ge(z, f4(0)));
  }
  // @ts-ignore: decorator
  @inline
  backward(dy: v128, v: v128, alpha: v128): v128 {
    return v128.bitselect(dy, f32x4.mul(dy, f32x4.add(v, alpha)), f32x4.gt(v, f4(0)));
  }
}

/** y = scale (z >= 0 ? z : alpha (e^z - 1)). */
// @ts-ignore: decorator
@unmanaged
export class Selu {
  // @ts-ignore: decorator
  @inline
  forward(z: v128, alpha: v128): v128 {
    return v128.bitselect(f32x4.mul(z, f4(seluScale)), f32x4.mul(f4(seluScaleAlpha), expm1(z)), f32x4.ge(z, f4(0)));
  }
  // @ts-ignore: decorator
  @inline
  backward(dy: v128, v: v128, alpha: v128): v128 {
    return f32x4.mul(dy, v128.bitselect(f4(seluScale), f32x4.add(v, f4(seluScaleAlpha)), f32x4.gt(v, f4(0))));
  }
}

/** y = z Phi(z). */
// @ts-ignore: decorator
@unmanaged
export class Gelu {
  // @ts-ignore: decorator
  @inline
  forward(z: v128, alpha: v128): v128 {
    return narrow(geluWide(low(z)), geluWide(high(z)));
  }
  // @ts-ignore: decorator
  @inline
  backward(dy: v128, v: v128, alpha: v128): v128 {
    return narrow(f64x2.mul(low(dy), geluSlope(low(v))), f64x2.mul(high(dy), geluSlope(high(v))));
  }
}

/** y = z / (1 + e^-z). */
// @ts-ignore: decorator
@unmanaged
export class Swish {
  // @ts-ignore: decorator
  @inline
  forward(z: v128, alpha: v128): v128 {
    return swish(z);
  }
  // @ts-ignore: decorator
  @inline
  backward(dy: v128, v: v128, alpha: v128): v128 {
    return f32x4.mul(dy, swishSlope(v));
  }
}

/** y = log(1 + e^z). */
// @ts-ignore: decorator
@unmanaged
export class Softplus {
  // @ts-ignore: decorator
  @inline
  forward(z: v128, alpha: v128): v128 {
    return narrow(softplusWide(low(z)), softplusWide(high(z)));
  }
  // @ts-ignore: decorator
  @inline
  backward(dy: v128, v: v128, alpha: v128): v128 {
    return f32x4.mul(dy, sigmoid(v));
  }
}

/** y = (e^z - e^-z) / (e^z + e^-z). */
// @ts-ignore: decorator
@unmanaged
export class Tanh {
  // @ts-ignore: decorator
  @inline
  forward(z: v128, alpha: v128): v128 {
    return tanh(z);
  }
  // @ts-ignore: decorator
  @inline
  backward(dy: v128, v: v128, alpha: v128): v128 {
    return f32x4.mul(dy, f32x4.mul(f32x4.sub(f4(1), v), f32x4.add(f4(1), v)));
  }
}

/** y = 1 / (1 + e^-z). */
// @ts-ignore: decorator
@unmanaged
export class Sigmoid {
  // @ts-ignore: decorator
  @inline
  forward(z: v128, alpha: v128): v128 {
    return sigmoid(z);
  }
  // @ts-ignore: decorator
  @inline
  backward(dy: v128, v: v128, alpha: v128): v128 {
    return f32x4.mul(dy, f32x4.mul(v, f32x4.sub(f4(1), v)));
  }
}

/** 1 / (1 + e^-z). */
// @ts-ignore: decorator
@inline
function sigmoid(z: v128): v128 {
  return f32x4.mul(f32x4.div(f4(1), logisticDenominator(z)), f4(unlift));
}

/** z / (1 + e^-z), which is z from 64 on; -0 at -Infinity. */
// @ts-ignore: decorator
@inline
function swish(z: v128): v128 {
  const bounded = f32x4.pmax(z, f4(-120));
  const quotient = f32x4.mul(f32x4.div(bounded, logisticDenominator(bounded)), f4(unlift));
  return v128.bitselect(z, quotient, f32x4.gt(z, f4(64)));
}

/** s (1 + z (1 - s)) with s = 1 / (1 + e) and 1 - s = e / (1 + e), e = e^-z; 1 from 40 on. */
// @ts-ignore: decorator
@inline
function swishSlope(z: v128): v128 {
  const bounded = f32x4.pmin(f32x4.pmax(z, f4(-120)), f4(40));
  const e = expLowered(f32x4.neg(bounded));
  const s = f32x4.div(f4(1), f32x4.add(f4(unlift), e));
  return f32x4.mul(f32x4.mul(s, f32x4.add(f4(1), f32x4.mul(bounded, f32x4.mul(e, s)))), f4(unlift));
}

/** Odd polynomial z + z^3 p(z^2) for |z| < 0.625, else 1 - 2 / (1 + e^2|z|) with the sign of z. */
// @ts-ignore: decorator
@inline
function tanh(z: v128): v128 {
  const a = f32x4.abs(z);
  const far = f32x4.sub(f4(1), f32x4.div(f4(2), onePlusExp(f32x4.add(a, a))));
  const v = f32x4.mul(a, a);
  let p = f32x4.add(f32x4.mul(f4(-0.00571704399), v), f4(0.02065058643));
  p = f32x4.add(f32x4.mul(p, v), f4(-0.05374349785));
  p = f32x4.add(f32x4.mul(p, v), f4(0.13331491285));
  p = f32x4.add(f32x4.mul(p, v), f4(-0.33333283925));
  const near = f32x4.add(a, f32x4.mul(f32x4.mul(a, v), p));
  return v128.bitselect(z, v128.bitselect(near, far, f32x4.lt(a, f4(0.625))), f4(-0.0));
}

/** z Phi(z) with Phi(z) = 1 - Phi(-z), two float64; -0 at -Infinity. */
// @ts-ignore: decorator
@inline
function geluWide(z: v128): v128 {
  const bounded = f64x2.pmax(z, d2(-37));
  const a = f64x2.pmin(f64x2.abs(bounded), d2(37));
  const tail = f64x2.mul(normalTail(a), expWide(f64x2.mul(f64x2.mul(a, a), d2(-0.5))));
  return f64x2.mul(bounded, v128.bitselect(tail, f64x2.sub(d2(1), tail), f64x2.lt(z, d2(0))));
}

/** Phi(z) + z phi(z), phi(z) = e^(-z^2 / 2) / sqrt(2 pi), two float64. */
// @ts-ignore: decorator
@inline
function geluSlope(z: v128): v128 {
  const bounded = f64x2.pmin(f64x2.pmax(z, d2(-37)), d2(37));
  const a = f64x2.abs(bounded);
  const e = expWide(f64x2.mul(f64x2.mul(a, a), d2(-0.5)));
  const tail = f64x2.mul(normalTail(a), e);
  const phi = v128.bitselect(tail, f64x2.sub(d2(1), tail), f64x2.lt(z, d2(0)));
  return f64x2.add(phi, f64x2.mul(bounded, f64x2.mul(e, d2(0.3989422804014327))));
}

/** log(1 + e^z) = max(z, 0) + log(1 + e^-|z|), two float64. */
// @ts-ignore: decorator
@inline
function softplusWide(z: v128): v128 {
  const e = expWide(f64x2.pmax(f64x2.neg(f64x2.abs(z)), d2(-700)));
  return f64x2.add(f64x2.pmax(z, d2(0)), log1pWide(e));
}
