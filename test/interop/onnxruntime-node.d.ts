/**
 * Room: tests of interop. The types of onnxruntime-node 1.17.0, as far as they are used: the package names a file of types that it does not have.
 */
declare module 'onnxruntime-node' {
  export class Tensor {
    constructor(type: 'float32', data: Float32Array, dims: readonly number[]);
    readonly data: Float32Array;
    readonly dims: readonly number[];
  }
  export interface InferenceSession {
    readonly inputNames: readonly string[];
    readonly outputNames: readonly string[];
    run(feeds: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>>;
  }
  export const InferenceSession: {
    create(path: string, options: { readonly intraOpNumThreads: number; readonly interOpNumThreads: number }): Promise<InferenceSession>;
  };
}
