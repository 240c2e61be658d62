/**
 * Room: scripts (level 8). Reference runs: a whole training on MNIST from given first weights, compared step by step.
 */
import { z } from 'zod';
import { readSafetensors } from '../../src/checkpoint/safetensors.ts';
import type { LayerConfigInput } from '../../src/config/layers.ts';
import type { OptimizerConfigInput } from '../../src/config/optimizers.ts';
import { evaluate } from '../../src/local/evaluate.ts';
import { train } from '../../src/local/train.ts';
import { sequential } from '../../src/model/model.ts';
import type { StepEvent } from '../../src/telemetry/events.ts';
import { type Check, relativeError, tolerance } from './compare.ts';
import type { Setting } from './layers.ts';

const runCase = z.strictObject({
  model: z.array(z.looseObject({ type: z.string() })),
  inputShape: z.array(z.int()),
  data: z.string(),
  batchSize: z.int(),
  steps: z.int(),
  optimizer: z.looseObject({ type: z.string() }),
  clip: z.record(z.string(), z.number()),
  loss: z.literal('sparseCategoricalCrossentropy'),
  log: z.array(z.strictObject({ step: z.int(), batch: z.int(), loss: z.number(), accuracy: z.number(), gradNorm: z.number() })),
  evalLossAfter: z.number(),
});

const knownLayers = new Set(['flatten', 'reshape', 'dense', 'batchNormalization', 'activation', 'dropout']);

/** `path` is the case file; its weights are beside it. Undefined when the model has a layer that Lockstep does not have. */
export async function run(value: unknown, { kernels, workers }: Setting, path: string): Promise<Check[] | undefined> {
  const { model: layers, inputShape, data, batchSize, steps, optimizer, clip, loss, log, evalLossAfter } = runCase.parse(value);
  if (!layers.every(({ type }) => knownLayers.has(type))) return undefined;
  const rows = Number(/first (\d+) MNIST training images/.exec(data)?.[1]);
  const source = { dataset: 'mnist', split: 'train', limit: rows } as const;
  const first = { ...layers[0], inputShape } as LayerConfigInput;
  const model = sequential([first, ...(layers.slice(1) as LayerConfigInput[])]);
  const events: StepEvent[] = [];
  await train({
    model,
    data: { train: source },
    init: path.replace(/\.json$/, '.init.safetensors'),
    loss,
    metrics: ['accuracy'],
    optimizer: { ...optimizer, ...clip } as OptimizerConfigInput,
    batchSize,
    steps,
    shuffle: false,
    kernels,
    workers,
    shards: 4,
    onStep: (event) => events.push(event),
  });
  const evaluation = await evaluate({ model, data: source, loss, batchSize, kernels, workers, shards: 4 });
  const final = readSafetensors(path.replace(/\.json$/, '.final.safetensors'));
  const worst = (field: 'loss' | 'gradNorm'): number => Math.max(...log.map((expected, i) => relativeError([expected[field]], [events[i]?.[field] ?? Number.NaN])));
  const weights = Math.max(...model.getWeights().map(({ name, data: received }) => relativeError(final.get(name)?.data ?? [], received)));
  return [
    { name: `loss at each of ${steps} steps`, error: worst('loss'), tolerance: tolerance.run },
    { name: 'gradient norm at each step', error: worst('gradNorm'), tolerance: tolerance.run },
    { name: 'loss of the evaluation after', error: relativeError([evalLossAfter], [evaluation.loss]), tolerance: tolerance.run },
    { name: 'final weights (worst tensor)', error: weights, tolerance: 10 * tolerance.run },
  ];
}
