/**
 * Room: scripts (level 8). How large the run of the chaos harness is.
 */
export const [samples, batchSize] = [5000, 256];
export const stepsPerEpoch = Math.ceil(samples / batchSize);
