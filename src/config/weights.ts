/**
 * Room: config (level 1). How much classes count in the loss.
 */
import { z } from 'zod';
import { nonNegative } from './rules.ts';

const classWeightRule = 'the weight of each class, like { "0": 1, "3": 2.5 } or a list of weights';
const className = z.string(classWeightRule).regex(/^(?:0|[1-9]\d{0,8})$/, classWeightRule);

/** By class, from 0; classes that are not named count 1. */
export const classWeightSchema = z.union([z.array(nonNegative, classWeightRule), z.record(className, nonNegative, classWeightRule)], classWeightRule);

export type ClassWeight = z.output<typeof classWeightSchema>;
