/**
 * Room: kernels (level 2). The reference kernel set: every method of the contract in plain TypeScript, joined from the
 * files in reference/. It promises to be what the contract means; it is for tests and for reading, never for speed.
 */
import type { Arena } from '../memory/arena.ts';
import type { Kernels } from './contract.ts';
import { activationsReference } from './reference/activations.ts';
import { dropoutReference } from './reference/dropout.ts';
import { foldingReference } from './reference/folding.ts';
import { lossesReference } from './reference/losses.ts';
import { matrixReference } from './reference/matrix.ts';
import { normalizationReference } from './reference/normalization.ts';
import { optimizersReference } from './reference/optimizers.ts';
import { rowsReference } from './reference/rows.ts';
import { standardizationReference } from './reference/standardization.ts';

/** The reference kernels over `arena`. */
export function createReferenceKernels(arena: Arena): Kernels {
  return {
    set: 'reference',
    ...matrixReference(arena),
    ...activationsReference(arena),
    ...lossesReference(arena),
    ...normalizationReference(arena),
    ...standardizationReference(arena),
    ...foldingReference(arena),
    ...rowsReference(arena),
    ...optimizersReference(arena),
    ...dropoutReference(arena),
  };
}
