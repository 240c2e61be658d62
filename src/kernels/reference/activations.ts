/**
 * Room: kernels (level 2), reference. The meaning of the activations and of softmax, forward and backward: each a formula
 * in float64, rounded to float32 once when it is stored. It promises plainness, not speed.
 *
 * -Infinity gives the limit: elu -alpha, gelu and swish -0. NaN stays NaN, forward and, where the derivative needs it,
 * backward.
 */
import type { Address, Arena } from '../../memory/arena.ts';
import { erfc, exp, expm1, log1p, tanh } from '../../numerics/elementary.ts';
import { type ActivationCode, activationCode, type ElementwiseActivation, type Kernels } from '../contract.ts';

interface Activation {
  /** y = f(z). */
  readonly forward: (z: number, alpha: number) => number;
  /** f'(z), of the pre-activation z and the output y = f(z). */
  readonly slope: (z: number, y: number, alpha: number) => number;
}

const seluScale = 1.0507009873554805;
const seluAlpha = 1.6732632423543772;

const sigmoid = (z: number) => 1 / (1 + exp(-z));
/** The normal distribution, and its density. */
const normal = (z: number) => erfc(-z / Math.SQRT2) / 2;
const density = (z: number) => exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
/** z f(z) for a factor f that falls faster than 1 / z: the limit -0 at -Infinity. */
const product = (z: number, factor: number) => (z === -Infinity ? -0 : z * factor);
/** z f(z) for a factor f that falls faster than 1 / z on both sides. */
const vanishing = (z: number, factor: number) => (Math.abs(z) === Infinity ? 0 : z * factor);

const activations: { readonly [name in ElementwiseActivation]: Activation } = {
  linear: { forward: (z) => z, slope: () => 1 },
  relu: { forward: (z) => Math.max(z, 0), slope: (_z, y) => (y > 0 ? 1 : 0) },
  leakyReLU: { forward: (z, alpha) => (z < 0 ? alpha * z : z), slope: (_z, y, alpha) => (y > 0 ? 1 : alpha) },
  elu: { forward: (z, alpha) => (z > 0 ? z : alpha * expm1(z)), slope: (_z, y, alpha) => (y > 0 ? 1 : y + alpha) },
  selu: {
    forward: (z) => seluScale * (z > 0 ? z : seluAlpha * expm1(z)),
    slope: (_z, y) => (y > 0 ? seluScale : y + seluScale * seluAlpha),
  },
  gelu: { forward: (z) => product(z, normal(z)), slope: (z) => normal(z) + vanishing(z, density(z)) },
  swish: { forward: (z) => product(z, sigmoid(z)), slope: (z) => sigmoid(z) * (1 + vanishing(z, sigmoid(-z))) },
  softplus: { forward: (z) => Math.max(z, 0) + log1p(exp(-Math.abs(z))), slope: (z) => sigmoid(z) },
  tanh: { forward: (z) => tanh(z), slope: (_z, y) => (1 - y) * (1 + y) },
  sigmoid: { forward: (z) => sigmoid(z), slope: (_z, y) => y * (1 - y) },
};

const byCode = new Map<ActivationCode, Activation>();
for (const [name, code] of Object.entries(activationCode)) byCode.set(code, activations[name as ElementwiseActivation]);

/** The activation kernels over `arena`. */
export function activationsReference(arena: Arena): Pick<Kernels, 'biasActivation' | 'activationBackward' | 'softmax' | 'softmaxBackward'> {
  const { f32 } = arena;
  const at = (tensor: Address, index: number) => f32[(tensor >>> 2) + index]!;
  const put = (tensor: Address, index: number, value: number) => {
    f32[(tensor >>> 2) + index] = value;
  };

  return {
    biasActivation(code, alpha, x, bias, y, rows, columns) {
      const { forward } = byCode.get(code)!;
      const slope = Math.fround(alpha);
      for (let i = 0; i < rows * columns; i++) {
        const z = bias === 0 ? at(x, i) : Math.fround(at(x, i) + at(bias, i % columns));
        put(x, i, z);
        put(y, i, forward(z, slope));
      }
    },

    activationBackward(code, alpha, dy, z, y, dx, count) {
      const { slope } = byCode.get(code)!;
      for (let i = 0; i < count; i++) put(dx, i, at(dy, i) * slope(at(z, i), at(y, i), Math.fround(alpha)));
    },

    softmax(x, y, rows, columns) {
      for (let row = 0; row < rows; row++) {
        const first = row * columns;
        let largest = -Infinity;
        for (let c = 0; c < columns; c++) largest = Math.max(largest, at(x, first + c));
        let sum = 0;
        for (let c = 0; c < columns; c++) sum += exp(at(x, first + c) - largest);
        for (let c = 0; c < columns; c++) put(y, first + c, exp(at(x, first + c) - largest) / sum);
      }
    },

    softmaxBackward(dy, y, dx, rows, columns) {
      for (let row = 0; row < rows; row++) {
        const first = row * columns;
        let inner = 0;
        for (let c = 0; c < columns; c++) inner += at(dy, first + c) * at(y, first + c);
        for (let c = 0; c < columns; c++) put(dx, first + c, at(y, first + c) * (at(dy, first + c) - inner));
      }
    },
  };
}
