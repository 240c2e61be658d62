/**
 * Room: model (level 4). The part of a plan that belongs to one rank: its tensors and its compiled layers, forward in model
 * order and backward from the last layer to the first one that has anything to learn.
 */
import type { RankShards } from '../collectives/shard-plan.ts';
import type { Area } from '../collectives/shared.ts';
import { kernelScratchBytes } from '../kernels/contract.ts';
import type { Builder, ExchangeArea, Operation, OwnShards, Penalty, WeightPlace } from '../layers/layer.ts';
import type { Address } from '../memory/arena.ts';
import type { MemoryPlan } from '../memory/plan.ts';
import { sizeOf } from '../memory/shape.ts';
import type { Measures } from '../metrics/measures.ts';
import { reserveTimes } from '../telemetry/timing.ts';
import { type Hold, planHeldGradients } from './held-gradients.ts';
import { passesOf } from './passes.ts';
import type { Topology } from './topology.ts';

/** A compiled layer with its place in the model. `size` numbers a row at `operation.output`. */
interface PlannedOperation {
  readonly operation: Operation;
  readonly layer: number;
  readonly size: number;
  /** Where the gradients of output and input are; dx is 0 when nobody needs it. Unused below the first trained layer. */
  readonly dy: Address;
  readonly dx: Address;
  readonly inputSize: number;
  /** On its outputs. */
  readonly activity: Penalty | undefined;
  /** What comes to dy besides, 0 for nothing, and which other operations dy goes to: see held-gradients.ts. */
  readonly held: Address;
  readonly holds: readonly Hold[];
}

interface Constants {
  readonly address: Address;
  readonly length: number;
  readonly fill: (place: Int32Array) => void;
}

export interface RankPlan {
  readonly shards: RankShards;
  /** The shards of each pass of a step. */
  readonly passes: readonly OwnShards[];
  /** Rows that this rank computes at once, at most. */
  readonly capacity: number;
  /** Private memory of the kernels. */
  readonly scratch: Address;
  /** The samples of the step (int32), their inputs (float32) and their labels (int32, or float32 targets). */
  readonly indices: Address;
  readonly input: Address;
  readonly labels: Address;
  /** Eight uint32: the keys of the epoch's order. */
  readonly orderKeys: Address;
  readonly operations: readonly PlannedOperation[];
  /** Operations from this index on take part in the backward pass. */
  readonly firstBackward: number;
  /** What comes to the gradient of the input besides, 0 for nothing. */
  readonly heldInput: Address;
  readonly output: Address;
  readonly outputSize: number;
  /** The gradient of the output, written by the loss. */
  readonly outputGradient: Address;
  /** Where the model's last activation goes when only metrics ask for it; 0 otherwise. */
  readonly activated: Address;
  /** A block a shard of the measures' numbers. */
  readonly lossSums: Area;
  /** The samples of the whole global batch (int32), when their weights must be summed; 0 otherwise. */
  readonly batchSamples: Address;
  /** Those of the sync points, by index. */
  readonly areas: readonly Area[];
  /** int32 values that are written once, when the rank starts. */
  readonly constants: readonly Constants[];
  /** Seconds by phase, see telemetry/timing.ts. */
  readonly times: Address;
  /** int32 [step, phase, layer]: where the rank is, for whoever must explain its death. */
  readonly progress: Address;
}

/** What all ranks of a plan share and one rank's part is built upon. */
export interface SharedPlaces {
  readonly memory: MemoryPlan;
  readonly topology: Topology;
  /** int32 or float32 numbers a row of labels. */
  readonly labelSize: number;
  /** Blocks of an exchange area's private part. */
  readonly privateBlocks: number;
  /** The shared blocks of the n-th exchange area of the plan, reserved by whoever asks first. */
  exchangeBlocks(index: number, channels: number): Address;
  readonly lossBlocks: Address;
  readonly measures: Pick<Measures, 'length' | 'activation'>;
  /** Rows of the largest global batch when rows have weights; 0 otherwise. */
  readonly weighted: number;
  readonly inputGradient: boolean;
  /** The place of weight `weight` of the model, with gradients for this rank's buffers. */
  weightPlace(weight: number, shards: RankShards): WeightPlace;
}

/** `passes` is how many the rank makes of a step, if it has as many shards. */
export function compileRank(places: SharedPlaces, shards: RankShards, capacity: number, passes: number): RankPlan {
  const { memory, topology } = places;
  const rows = (size: number, bytesEach = 4): Address => memory.reserve('activations', Math.max(1, capacity) * size * bytesEach);
  const constants: Constants[] = [];
  const input = rows(sizeOf(topology.inputShape));
  const firstTrained = topology.weights.find(({ definition }) => definition.role !== 'state')?.operation ?? topology.layers.length;
  const areas: Area[] = [];
  let current = input;
  let mask: Address = 0;
  /** By layer: its output, and the operation that makes it; -1 while that is the model's input. */
  const outputs: { readonly address: Address; readonly operation: number }[] = [];
  let operationCount = 0;
  const outputOf = (layer: number) => (layer === -1 ? { address: input, operation: -1 } : outputs[layer]!);

  const compiled = topology.layers.flatMap(({ definition, inputShape, sources }, layer) => {
    const weights = topology.weights.flatMap((weight, index) => (weight.operation === layer ? [{ name: weight.definition.name, index }] : []));
    const builder: Builder = {
      input: current,
      inputShape,
      mask,
      sources: sources.map((source) => outputOf(source).address),
      needsInputGradient: places.inputGradient || layer > firstTrained,
      shards: shards.count,
      layerIndex: layer,
      weight: (name) => places.weightPlace(weights.find((weight) => weight.name === name)!.index, shards),
      rows,
      private: (bytes) => memory.reserve('statistics', bytes),
      exchange(channels, positions, isCounted = false): ExchangeArea {
        const index = areas.length;
        const result = memory.reserve('statistics', places.privateBlocks * 16 * channels);
        const area = { index, blocks: places.exchangeBlocks(index, channels), result, channels, positions, isCounted };
        areas.push(area);
        return area;
      },
      constants(length, fill) {
        const address = memory.reserve('statistics', 4 * length);
        constants.push({ address, length, fill });
        return address;
      },
    };
    const operation = definition.compile(builder);
    if (definition.mask === 'ended') mask = 0;
    if (operation) {
      current = operation.output;
      mask = operation.mask ?? mask;
      operationCount++;
    }
    outputs.push({ address: current, operation: operationCount - 1 });
    if (!operation) return [];
    return [
      {
        operation,
        layer,
        size: sizeOf(definition.outputShape),
        inputSize: sizeOf(inputShape),
        inPlace: definition.inPlaceBackward,
        activity: definition.activityPenalty,
        needsInput: builder.needsInputGradient,
        sources: sources.map((source) => outputOf(source).operation),
      },
    ];
  });

  const sizes = [sizeOf(topology.inputShape), ...compiled.map(({ size }) => size)];
  const gradients = [rows(Math.max(...sizes)), rows(Math.max(...sizes))] as const;
  const firstTrainedOperation = compiled.findIndex(({ layer }) => layer >= firstTrained);
  const firstBackward = places.inputGradient ? 0 : firstTrainedOperation === -1 ? compiled.length : firstTrainedOperation;
  const { held, holds, heldInput } = planHeldGradients(compiled, firstBackward, sizes[0]!, places.inputGradient, rows);
  let side: 0 | 1 = 0;
  const operations = compiled
    .map((one, i) => ({ ...one, held: held[i]!, holds: holds[i]! }))
    .toReversed()
    .map(({ operation, layer, size, inputSize, activity, inPlace, needsInput, held, holds }): PlannedOperation => {
      const dy = gradients[side];
      if (!inPlace) side = side === 0 ? 1 : 0;
      return { operation, layer, size, inputSize, activity, held, holds, dy, dx: needsInput ? gradients[side] : 0 };
    })
    .toReversed();

  return {
    shards,
    passes: passesOf(shards, passes),
    capacity,
    scratch: memory.reserve('scratch', kernelScratchBytes),
    indices: rows(1),
    input,
    labels: rows(places.labelSize),
    orderKeys: memory.reserve('scratch', 32),
    operations,
    firstBackward,
    heldInput,
    output: current,
    outputSize: sizeOf(topology.outputShape),
    outputGradient: gradients[0],
    activated: places.measures.activation ? rows(sizeOf(topology.outputShape)) : 0,
    lossSums: {
      index: -1,
      blocks: places.lossBlocks,
      result: memory.reserve('statistics', places.privateBlocks * 8 * places.measures.length),
      channels: places.measures.length / 2,
      positions: 1,
      isCounted: false,
    },
    batchSamples: places.weighted > 0 ? memory.reserve('activations', 4 * places.weighted) : 0,
    areas,
    constants,
    times: reserveTimes(memory),
    progress: memory.reserve('control', 12),
  };
}
