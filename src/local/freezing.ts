/**
 * Room: local (level 6). What the `freeze` of a run comes to for its model: layers that never learn become part of the model's config, so nothing is
 * planned for their training; those that wait for an epoch are listed by name for the ranks.
 */
import type { FreezeConfig } from '../config/freezing.ts';
import type { LayerConfig, ModelConfig } from '../config/layers.ts';
import { LockstepError } from '../errors.ts';
import { isAbout, shown } from '../optimizers/selection.ts';
import type { Freeze } from '../train/rank.ts';

export interface Freezing {
  /** The model with `trainable: false` where a layer never learns. */
  readonly config: ModelConfig;
  readonly freeze: readonly Freeze[];
}

/** Throws LOCKSTEP_CONFIG with every pattern that fits no layer. `names` are those of the layers of `config`. */
export function freezing(config: ModelConfig, names: readonly string[], entries: FreezeConfig = []): Freezing {
  const found = entries.map(({ layers, until = Number.POSITIVE_INFINITY }) => {
    const patterns = [layers].flat();
    return { patterns, until, layers: names.filter((name) => patterns.some((pattern) => isAbout(pattern, name))) };
  });
  const idle = found.flatMap(({ patterns }) => patterns).filter((pattern) => !names.some((name) => isAbout(pattern, name)));
  if (idle.length > 0) {
    throw new LockstepError(
      'LOCKSTEP_CONFIG',
      `Expected every pattern of \`freeze\` to fit a layer, got ${idle.map((pattern) => `\`${pattern}\``).join(', ')}, which fit${idle.length === 1 ? 's' : ''} none of ${shown(names)}; correct or remove ${idle.length === 1 ? 'it' : 'them'}.`,
    );
  }
  const never = new Set(found.flatMap(({ layers, until }) => (until === Number.POSITIVE_INFINITY ? layers : [])));
  return {
    config: { ...config, layers: config.layers.map((layer, i): LayerConfig => (never.has(names[i]!) ? { ...layer, trainable: false } : layer)) },
    freeze: found.flatMap(({ layers, until }) => {
      const waiting = layers.filter((name) => !never.has(name));
      return waiting.length > 0 ? [{ layers: waiting, until }] : [];
    }),
  };
}
