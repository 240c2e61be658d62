/**
 * Room: config (level 1). What a run may be steered by between epochs: a number of its history that is watched, as Keras' callbacks do.
 */
import { z } from 'zod';
import { monitorDefaults as d } from './defaults.ts';
import { choice, finite, flag, fractionInside, integer, nonNegative, record } from './rules.ts';

const monitorRule = 'the name of a number of the history, like `val_loss` or `accuracy`';
const monitor = z.string(monitorRule).min(1, monitorRule).default(d.monitor).describe('A number of the history.');
const mode = choice('auto', 'min', 'max').default(d.mode).describe('Which way is better; auto: lower for losses, higher for all else.');
const minDelta = nonNegative.default(d.minDelta).describe('Less than this is no improvement.');

export const earlyStoppingSchema = record('an object like { monitor: "val_loss", patience: 3 }', {
  monitor,
  mode,
  minDelta,
  patience: integer(0).default(d.patience).describe('Epochs without improvement after which the run ends.'),
  baseline: finite.optional().describe('What must be bettered, too.'),
  startFromEpoch: integer(0).default(d.startFromEpoch).describe('Epochs before this one, counted from 0, are not looked at.'),
  restoreBestWeights: flag.default(d.restoreBestWeights).describe('The run gives the weights of its best epoch rather than the last ones.'),
});

export const reduceLROnPlateauSchema = record('an object like { monitor: "val_loss", factor: 0.1, patience: 10 }', {
  monitor,
  mode,
  minDelta: minDelta.default(d.plateau.minDelta),
  factor: fractionInside.default(d.plateau.factor).describe('The learning rate is multiplied by this.'),
  patience: integer(0).default(d.plateau.patience).describe('Epochs without improvement after which it is.'),
  cooldown: integer(0).default(d.plateau.cooldown).describe('Epochs after that in which nothing is counted.'),
  minLr: nonNegative.default(d.plateau.minLr).describe('The rate never gets lower than this, unless its schedule does.'),
});

/** A number that is watched, and which way is better. */
export type Monitor = Pick<EarlyStopping, 'monitor' | 'mode' | 'minDelta'>;
export type ReduceLROnPlateau = z.output<typeof reduceLROnPlateauSchema>;
export type EarlyStopping = z.output<typeof earlyStoppingSchema>;
