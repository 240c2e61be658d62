/**
 * Room: scripts (level 8). Reference cases of single layers: activations, dense, batch-normalization, layer-normalization.
 */
import { z } from 'zod';
import { type Check, relativeError, tolerance } from './compare.ts';
import { type ProbeResult, probe } from './probe.ts';

/** Where a case is run. */
export interface Setting {
  readonly kernels: 'wasm' | 'blas';
  readonly workers: number;
}

const tensor = z.object({ shape: z.array(z.int()), data: z.array(z.number()) });

function check(name: string, expected: { readonly data: readonly number[] }, received: ArrayLike<number> | undefined, limit: number): Check {
  return { name, error: relativeError(expected.data, received ?? []), tolerance: limit };
}

const activationCase = z.strictObject({ activation: z.string(), x: tensor, dy: tensor, y: tensor, dx: tensor });

/** `leakyReLU(0.3)` is the activation leakyReLU with alpha 0.3. */
export async function activations(value: unknown, setting: Setting): Promise<Check[]> {
  const { activation, x, dy, y, dx } = activationCase.parse(value);
  const [, type, alpha] = /^(\w+)(?:\(([\d.]+)\))?$/.exec(activation) ?? [];
  const config = alpha === undefined ? type : { type, alpha: Number(alpha) };
  const result = await probe({ layers: [{ type: 'activation', activation: config as 'relu' }], x, dy, shards: 3, ...setting });
  return [check(`${activation} y`, y, result.y, tolerance.layer), check(`${activation} dx`, dx, result.dx, tolerance.layer)];
}

const denseCase = z.strictObject({
  units: z.int(),
  activation: z.string(),
  useBias: z.boolean(),
  x: tensor,
  kernel: tensor,
  dy: tensor,
  y: tensor,
  dx: tensor,
  dkernel: tensor,
  bias: tensor.optional(),
  dbias: tensor.optional(),
});

export async function dense(value: unknown, setting: Setting): Promise<Check[]> {
  const { units, activation, useBias, x, kernel, dy, y, dx, dkernel, bias, dbias } = denseCase.parse(value);
  const layers = [{ type: 'dense' as const, units, activation: activation as 'relu', useBias }];
  const weights = { 'dense/kernel': kernel, ...(bias && { 'dense/bias': bias }) };
  const result = await probe({ layers, x, dy, weights, shards: 3, ...setting });
  const name = `dense ${units} ${activation}`;
  return [
    check(`${name} y`, y, result.y, tolerance.layer),
    check(`${name} dx`, dx, result.dx, tolerance.layer),
    check(`${name} dkernel`, dkernel, result.weights.get('dense/kernel'), tolerance.layer),
    ...(dbias ? [check(`${name} dbias`, dbias, result.weights.get('dense/bias'), tolerance.layer)] : []),
  ];
}

const normalizationCase = z.strictObject({
  note: z.string().optional(),
  axis: z.array(z.int()),
  momentum: z.number(),
  epsilon: z.number(),
  shardRows: z.array(z.int()),
  x: tensor,
  gamma: tensor,
  beta: tensor,
  movingMean: tensor,
  movingVariance: tensor,
  dy: tensor,
  y: tensor,
  batchMean: tensor,
  batchVariance: tensor,
  dx: tensor,
  dgamma: tensor,
  dbeta: tensor,
  newMovingMean: tensor,
  newMovingVariance: tensor,
});

/** As many shards as the case names, and three more: the numbers may not depend on how rows are split. */
export async function batchNormalization(value: unknown, setting: Setting): Promise<Check[]> {
  const { note, axis, momentum, epsilon, shardRows, x, gamma, beta, movingMean, movingVariance, dy, ...expected } = normalizationCase.parse(value);
  const limit = note?.includes('cancellation') ? tolerance.cancellation : tolerance.layer;
  const layers = [{ type: 'batchNormalization' as const, axis, momentum, epsilon }];
  const name = `batchNormalization axis ${axis.join(',')} of ${x.shape.join('x')}`;
  const weights = {
    'batch_normalization/gamma': gamma,
    'batch_normalization/beta': beta,
    'batch_normalization/moving_mean': movingMean,
    'batch_normalization/moving_variance': movingVariance,
  };
  const compare = (shards: number, result: ProbeResult): Check[] => {
    const weight = (key: string): Float32Array | undefined => result.weights.get(`batch_normalization/${key}`);
    const label = `${name}, ${shards} shards,`;
    return [
      check(`${label} y`, expected.y, result.y, limit),
      check(`${label} dx`, expected.dx, result.dx, limit),
      check(`${label} dgamma`, expected.dgamma, weight('gamma'), limit),
      check(`${label} dbeta`, expected.dbeta, weight('beta'), limit),
      check(`${label} moving mean`, expected.newMovingMean, weight('moving_mean'), limit),
      check(`${label} moving variance`, expected.newMovingVariance, weight('moving_variance'), limit),
    ];
  };
  const checks: Check[] = [];
  for (const shards of [shardRows.length, shardRows.length + 3]) {
    checks.push(...compare(shards, await probe({ layers, x, dy, weights, shards, ...setting })));
  }
  return checks;
}

const layerNormalizationCase = z.strictObject({
  epsilon: z.number(),
  x: tensor,
  gamma: tensor,
  beta: tensor,
  dy: tensor,
  y: tensor,
  dx: tensor,
  dgamma: tensor,
  dbeta: tensor,
});

export async function layerNormalization(value: unknown, setting: Setting): Promise<Check[]> {
  const { epsilon, x, gamma, beta, dy, ...expected } = layerNormalizationCase.parse(value);
  const weights = { 'layer_normalization/gamma': gamma, 'layer_normalization/beta': beta };
  const result = await probe({ layers: [{ type: 'layerNormalization', epsilon }], x, dy, weights, shards: 3, ...setting });
  const name = `layerNormalization of ${x.shape.join('x')}`;
  return [
    check(`${name} y`, expected.y, result.y, tolerance.layer),
    check(`${name} dx`, expected.dx, result.dx, tolerance.layer),
    check(`${name} dgamma`, expected.dgamma, result.weights.get('layer_normalization/gamma'), tolerance.layer),
    check(`${name} dbeta`, expected.dbeta, result.weights.get('layer_normalization/beta'), tolerance.layer),
  ];
}
