/**
 * Room: local (level 6). Whether a checkpoint is of this run, and its way into the arena: weights, optimizer vectors and how the run
 * stood. What must be equal is what decides the bits; everything else may change.
 */
import { createHash } from 'node:crypto';
import { show } from '../check.ts';
import { type Found, readCheckpointTensors } from '../checkpoint/folder.ts';
import type { SnapshotLayout, TensorAt } from '../checkpoint/layout.ts';
import type { CheckpointRecord } from '../checkpoint/record.ts';
import { canonicalJson } from '../config/canonical.ts';
import type { RunSettings } from '../config/run.ts';
import { forBlocks } from '../data/blocks.ts';
import type { DataSource } from '../data/source.ts';
import { LockstepError } from '../errors.ts';
import { sizeOf } from '../memory/shape.ts';
import { inputBytes } from '../model/feed-place.ts';
import type { DataPlace } from '../model/plan.ts';
import { writeStanding } from '../model/standing.ts';
import { slotsOf } from '../optimizers/rule.ts';
import type { TrainingSpec } from '../train/rank.ts';
import type { CheckpointOptions } from './checkpoint-options.ts';
import { sumsOfRecord } from './epoch-sums.ts';
import { numericFingerprint } from './fingerprint.ts';
import type { Station } from './station.ts';

type DecidingSettings = Pick<RunSettings, 'dropRemainder' | 'reduceLROnPlateau'>;

/** What must be equal to go on, beside seed, shards, data and numerics, which the record names by themselves. */
function runFacts({ plan }: Station, { optimizer, batchSize, shuffle, freeze }: TrainingSpec, { dropRemainder, reduceLROnPlateau }: DecidingSettings): unknown {
  const { model, inputShape, loss } = plan.spec;
  return JSON.parse(
    canonicalJson({ model, inputShape, loss, optimizer, batchSize, shuffle, dropRemainder, ...(reduceLROnPlateau && { reduceLROnPlateau }), ...(freeze && { freeze }) }),
  );
}

export type RunIdentity = Pick<CheckpointRecord, 'run' | 'data' | 'seed' | 'shards' | 'fingerprint'>;

/** Of the run that `station` holds. Reads all of its data, from `sources` what is not in its arena. */
export function identityOf(
  station: Station,
  training: TrainingSpec,
  settings: DecidingSettings,
  sources: { readonly train: DataSource; readonly validation?: DataSource | undefined },
): RunIdentity {
  const { plan } = station;
  return {
    run: runFacts(station, training, settings),
    data: {
      train: dataHash(station, plan.train!, sources.train),
      ...(plan.validation && { validation: dataHash(station, plan.validation, sources.validation!) }),
    },
    seed: training.seed,
    shards: plan.spec.shards,
    fingerprint: numericFingerprint(station.kernels),
  };
}

/** SHA-256, in hex, of a data set's spec and rows: the same wherever its inputs are. */
function dataHash({ arena }: Station, { spec, inputs, labels, weights }: DataPlace, source: DataSource): string {
  const { streamed, ...described } = spec;
  const hash = createHash('sha256').update(canonicalJson(described));
  if (streamed) forBlocks(source, undefined, ({ buffer, byteOffset, byteLength }) => hash.update(new Uint8Array(buffer, byteOffset, byteLength)));
  else hash.update(arena.u8.subarray(inputs, inputs + spec.length * inputBytes(spec)));
  hash.update(arena.u8.subarray(labels, labels + 4 * spec.length * Math.max(1, spec.targetSize)));
  if (spec.weighted) hash.update(arena.u8.subarray(weights, weights + 4 * spec.length));
  return hash.digest('hex');
}

/** The station goes on from a checkpoint, if that is of its run. */
export function goOn(
  station: Station,
  found: Found,
  own: RunIdentity,
  training: TrainingSpec,
  { allowMixedNumerics = false }: Pick<CheckpointOptions, 'allowMixedNumerics'>,
): void {
  checkIdentity(found, own, allowMixedNumerics);
  restoreState(station, found, layoutOf(station, training));
}

/** Throws LOCKSTEP_CONFIG with every value that is another one than the checkpoint's, and LOCKSTEP_KERNELS for other bits. */
function checkIdentity({ folder, record }: Found, own: RunIdentity, allowMixedNumerics: boolean): void {
  const facts = ({ run, data, seed, shards }: RunIdentity): unknown => ({ ...(run as object), data: { train: data.train }, seed, shards });
  const found = differences(facts(record), facts(own), '');
  if (found.length > 0) {
    const shown = found.slice(0, 5).join('; ');
    throw new LockstepError(
      'LOCKSTEP_CONFIG',
      `Expected the run of the checkpoint \`${folder}\`, got one that differs in ${shown}${found.length > 5 ? ` and ${found.length - 5} more` : ''}; restore these, or begin anew in another run directory.`,
    );
  }
  if (record.fingerprint === own.fingerprint || allowMixedNumerics) return;
  throw new LockstepError(
    'LOCKSTEP_KERNELS',
    `Expected kernels that make the bits of the checkpoint \`${folder}\`, numeric fingerprint ${record.fingerprint.slice(0, 12)}, got ${own.fingerprint.slice(0, 12)}; use the same --kernels on the same kind of machine, or allow other bits with --allow-mixed-numerics.`,
  );
}

/** One text for each value that is not the same: "`optimizer.learningRate` (0.1 there, 0.2 here)". */
function differences(there: unknown, here: unknown, path: string): string[] {
  if (canonicalJson({ value: there }) === canonicalJson({ value: here })) return [];
  if (isObject(there) && isObject(here) && Array.isArray(there) === Array.isArray(here)) {
    const keys = [...new Set([...Object.keys(there), ...Object.keys(here)])].toSorted();
    return keys.flatMap((key) => differences(there[key], here[key], Array.isArray(there) ? `${path}[${key}]` : `${path}${path && '.'}${key}`));
  }
  const told = (value: unknown): string =>
    typeof value === 'string' && /^[0-9a-f]{64}$/.test(value) ? value.slice(0, 12) : value === undefined ? 'nothing' : show(value);
  return [`\`${path}\` (${told(there)} there, ${told(here)} here)`];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** Where the tensors lie in a copy of the state. */
export function layoutOf({ plan }: Station, { optimizer }: Pick<TrainingSpec, 'optimizer'>): SnapshotLayout {
  const { topology, weights, tensors, optimizerSlots, state } = plan;
  return {
    weights: topology.weights.map(({ name, definition: { shape } }, i) => ({ name, shape, offset: weights[i]! - state.from })),
    optimizer: slotsOf(optimizer).flatMap((slot, s) =>
      tensors.map(({ weight, offset }): TensorAt => {
        const { name, definition } = topology.weights[weight]!;
        return { name: `${name}/${slot}`, shape: definition.shape, offset: optimizerSlots[s]! + offset - state.from };
      }),
    ),
  };
}

/** The numbers of a checkpoint become the state of the station, whose ranks rest. Throws LOCKSTEP_CHECKPOINT when they do not fit it. */
function restoreState(station: Station, found: Found, layout: SnapshotLayout): void {
  const { arena, plan } = station;
  for (const [file, places] of [
    ['weights.safetensors', layout.weights],
    ['optimizer.safetensors', layout.optimizer],
  ] as const) {
    const tensors = readCheckpointTensors(found, file);
    for (const { name, shape, offset } of places) {
      const tensor = tensors.get(name);
      if (tensor?.data.length !== sizeOf(shape) || tensors.size !== places.length) {
        throw new LockstepError(
          'LOCKSTEP_CHECKPOINT',
          `Expected \`${name}\` with ${sizeOf(shape)} numbers in ${file} of \`${found.folder}\`, got another model's; take another run directory.`,
        );
      }
      arena.f32.set(tensor.data, (plan.state.from + offset) >>> 2);
    }
  }
  const { step, updates, skippedInARow, epochSums, gradNorms } = found.record;
  const remembered = Math.min(updates, plan.spec.clipHistory ?? 0);
  if ((gradNorms?.length ?? 0) !== remembered) {
    throw new LockstepError(
      'LOCKSTEP_CHECKPOINT',
      `Expected the norms of ${remembered} gradients in run.json of \`${found.folder}\`, got ${gradNorms?.length ?? 'none'}; take another run directory.`,
    );
  }
  writeStanding(arena, plan, { step, updates, skippedInARow, epochSums: sumsOfRecord(epochSums, plan.measures), ...(gradNorms && { gradNorms }) });
}
