/**
 * Room: model (level 4). Where the walk backwards forks. A layer that adds the outputs of earlier layers hands its dy to its own input, in one of the two
 * buffers that take turns, and to each of those layers; until the walk comes to them, their part is held in a tensor of its own. The order of additions is the walk's:
 *
 *   held[s] = dy of the last layer that adds s; then += dy of each one before it
 *   when the walk comes to s:  dy of its output = (dy along the chain) + held[s], then the gradient of its activity penalty, then its backward
 *
 * A gradient that the walk never comes to is not held: neither below the first layer that learns, nor of the model's input when nobody asks for it. A tensor is free again
 * once the walk has passed its layer, so a chain of residual blocks has one for all of them.
 */
import type { Address } from '../memory/arena.ts';

/** One operation in model order: numbers a row of its output, and the operations whose outputs it adds; -1 is the model's input. */
interface Adding {
  readonly size: number;
  readonly sources: readonly number[];
}

/** "The gradient goes to operation `source`, too": what `into` holds of it is written or, by all but the first, added to. */
export interface Hold {
  readonly source: number;
  readonly into: Address;
  readonly isFirst: boolean;
}

interface HeldGradients {
  /** By operation: where the rest of its output's gradient is held, 0 when all comes along the chain; and whom it hands its own to. */
  readonly held: readonly Address[];
  readonly holds: readonly (readonly Hold[])[];
  /** The same of the model's input. */
  readonly heldInput: Address;
}

/** For a walk from the last operation to `first`; with `toInput` the gradient of the model's input is wanted as well. `reserve` makes room for so many numbers a row. */
export function planHeldGradients(operations: readonly Adding[], first: number, inputSize: number, toInput: boolean, reserve: (size: number) => Address): HeldGradients {
  const held = new Map<number, { readonly address: Address; readonly size: number }>();
  const free: { readonly address: Address; readonly size: number }[] = [];
  const holds: Hold[][] = operations.map(() => []);
  const room = (size: number) => {
    const fitting = free.findIndex((tensor) => tensor.size >= size);
    return fitting === -1 ? { address: reserve(size), size } : free.splice(fitting, 1)[0]!;
  };
  for (let i = operations.length - 1; i >= first; i--) {
    const passed = held.get(i);
    if (passed) free.push(passed);
    for (const source of operations[i]!.sources) {
      if (source === -1 ? !toInput : source < first) continue;
      const before = held.get(source);
      const tensor = before ?? room(source === -1 ? inputSize : operations[source]!.size);
      held.set(source, tensor);
      holds[i]!.push({ source, into: tensor.address, isFirst: before === undefined });
    }
  }
  return { held: operations.map((_, i) => held.get(i)?.address ?? 0), holds, heldInput: held.get(-1)?.address ?? 0 };
}
