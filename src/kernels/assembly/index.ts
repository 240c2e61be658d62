/**
 * Room: kernels/assembly (level 2). Everything the wasm kernel set exports, under the contract's names and parameter
 * orders, and `setScratch`. AssemblyScript, compiled by `scripts/build.mjs` into `kernels.wasm`; not seen by tsc.
 */
export * from './gemm';
export * from './sums';
export * from './activations';
export * from './losses';
export * from './normalization';
export * from './standardization';
export * from './folding';
export * from './rows';
export * from './optimizers';
export * from './adaptive';
export * from './squares';
export * from './dropout';
// Exported only so that the optimiser leaves each tile a function of its own: merged, they spill registers and run at half the speed.
export { tile1x4, tile1x8, tile2x4, tile2x8, tile3x4, tile3x8, tile4x4, tile4x8, tile5x4, tile5x8 } from './tile';
