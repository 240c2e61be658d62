/**
 * Room: train (level 5). Layers that learn nothing until an epoch comes: a pure function of the epoch, so a run that goes on, and a step that is finished
 * for others, freeze the same. Their gradients are not made and count in no norm, their statistics stay, and their weights are not updated.
 */
import type { Rank } from './rank.ts';

/** Before the first step of an order in `epoch`. */
export function freezeUntil({ runtime, rule, spec: { freeze = [] }, frozen }: Rank, epoch: number): void {
  if (freeze.length === 0) return;
  const { tensors, topology } = runtime.plan;
  const names = new Set(freeze.flatMap(({ layers, until }) => (epoch < until ? layers : [])));
  runtime.freeze((layer) => names.has(topology.layers[layer]!.name));
  for (const [t, { weight }] of tensors.entries()) frozen[t] = names.has(topology.layers[topology.weights[weight]!.layer]!.name) ? 1 : 0;
  rule.freeze(frozen);
}
