/**
 * Room: config (level 1). Every default of a run, each with its unit and its reason. It promises to be the only place
 * where a default is written; the schemas beside it read from here, and nothing here is ever changed at run time.
 */

/** Defaults of the run itself. */
export const runDefaults = {
  /** Rows of the global batch. Keras' default, and small enough for any model. */
  batchSize: 32,
  /** Every batch is a step of its own. */
  gradientAccumulationSteps: 1,
  /** Passes over the training data. Keras' default. */
  epochs: 1,
  /** A new order of the rows in every epoch: without it, sorted data would not train. */
  shuffle: true,
  /** The last rows are for validation, as in Keras: data in the order of time is then judged by its future. */
  stratify: false,
  /** Every row trains in every epoch, in a smaller last batch where it must: sums are divided once, so that is exact. */
  dropRemainder: false,
  /** Fixed, so that a run without a seed can be repeated too. */
  seed: 0,
  /** The fastest kernel set this machine has; the choice and its reason are printed. */
  kernels: 'auto',
  /** A loss that stays non-finite is nearly always a mistake that training on would hide. */
  onNonFinite: 'halt',
  /** Skipped steps in a row. Enough to step over a bad batch, too few to burn an hour. */
  haltAfterSkipped: 5,
} as const;

/** Defaults of the layers: those of Keras and tfjs-layers, so that a model carried over means the same. */
export const layerDefaults = {
  activation: 'linear',
  useBias: true,
  /** Keeps the variance of signals and gradients even for activations that are near-linear at 0. */
  kernelInitializer: 'glorotUniform',
  biasInitializer: 'zeros',
  /** The last axis: the channels of dense and NHWC data. */
  axis: -1,
  /** Share of the old moving statistics kept in each step: a memory of about 100 steps. */
  momentum: 0.99,
  /** Added to the variance: Keras' 1e-3, large enough for a channel that is constant in a batch. */
  batchNormEpsilon: 1e-3,
  center: true,
  scale: true,
  /** Statistics over the global batch: what a batch is does not depend on how it is cut. */
  synchronized: true,
  betaInitializer: 'zeros',
  gammaInitializer: 'ones',
  /** Of the scalar layer: with a bias of 0 it changes nothing at first, as Fixup wants it. */
  multiplierInitializer: 'ones',
  /** Moving statistics start as those of standardised data. */
  movingMeanInitializer: 'zeros',
  movingVarianceInitializer: 'ones',
  /** Slope of leakyReLU below 0 (tfjs-layers' 0.3). */
  leakyReLUAlpha: 0.3,
  /** Scale of elu below 0: 1 makes its slope continuous at 0. */
  eluAlpha: 1,
  /** Between pixels, as Keras' Resizing. */
  interpolation: 'bilinear',
  /** Of steps that are padding (Keras): zeros are what padding is usually made of. */
  maskValue: 0,
  /** Half-width of randomUniform and standard deviation of the normal initialisers (Keras). */
  randomSpread: 0.05,
} as const;

/** Defaults of the optimizers: Keras'. */
export const optimizerDefaults = {
  /** Step size of SGD per unit of the mean gradient. */
  sgdLearningRate: 0.01,
  momentum: 0,
  nesterov: false,
  /** Step size of all others, per unit of a gradient that they normalise. */
  learningRate: 0.001,
  /** Memory of about 10 steps for the mean and 1,000 for the square of the gradient. */
  beta1: 0.9,
  beta2: 0.999,
  /** Beside the root of what a gradient is divided by, so that a gradient of 0 moves nothing: Keras' 1e-7. */
  epsilon: 1e-7,
  /** Share of each weight removed per step and unit of learning rate (Keras' AdamW); other optimizers remove nothing unless told to. */
  adamwWeightDecay: 0.004,
  /** RMSprop remembers about 10 squares, Adadelta about 20. */
  rmspropRho: 0.9,
  adadeltaRho: 0.95,
  centered: false,
  /** Added to Adagrad's sum of squares, so that the first steps are no jumps. */
  initialAccumulatorValue: 0.1,
  /** Memory of about 100 steps for Lion's mean. */
  lionBeta2: 0.99,
  /** LARS' step in units of `trustCoefficient` of a tensor's own norm, which its authors take 0.001 for; Keras has no LARS. */
  larsLearningRate: 1,
  trustCoefficient: 0.001,
  larsMomentum: 0.9,
  /** Share of the old average kept in each step: a memory of about 100 steps. */
  emaMomentum: 0.99,
  /** Norm of a unit: biases, which begin as zeros, may move at all. That of the authors of adaptive clipping, and of optax. */
  adaptiveClipEpsilon: 1e-3,
  /** Updates: enough that a percentile is no matter of chance, few enough that the large gradients of a beginning are forgotten, and read in microseconds a step. */
  clipHistory: 1000,
} as const;

/** Defaults of the learning rate's schedules: Keras', one cycle's PyTorch's. */
export const scheduleDefaults = {
  /** Where a warm-up starts. */
  warmupFrom: 0,
  staircase: false,
  endLearningRate: 0.0001,
  /** A straight line. */
  power: 1,
  cycle: false,
  /** Share of the first rate that a cosine ends at. */
  alpha: 0,
  /** Each period is twice as long as the one before, and begins as high. */
  tMul: 2,
  mMul: 1,
  /** One cycle: the share of all steps in which the rate grows, by what the highest rate is divided for the first, and that for the last. */
  pctStart: 0.3,
  divFactor: 25,
  finalDivFactor: 10_000,
  annealStrategy: 'cos',
} as const;

/** Defaults of penalties on weights and of their bounds: Keras'. */
export const regularizerDefaults = {
  l1: 0.01,
  l2: 0.01,
  /** The norm of the weights into a unit. */
  axis: 0,
  maxValue: 2,
  minValue: 0,
  /** Of minMaxNorm. */
  mostValue: 1,
  /** Bounds hold at once. */
  rate: 1,
} as const;

/** Defaults of what watches a number of the history: Keras'. */
export const monitorDefaults = {
  /** What is learnt by heart does not count. */
  monitor: 'val_loss',
  mode: 'auto',
  minDelta: 0,
  /** Epochs: the first one that is no better ends the run. */
  patience: 0,
  startFromEpoch: 0,
  restoreBestWeights: false,
  /** Keras' ReduceLROnPlateau. */
  plateau: { minDelta: 1e-4, factor: 0.1, patience: 10, cooldown: 0, minLr: 0 },
} as const;

/** Defaults of the data. */
export const dataDefaults = {
  /** Values are divided by this: files are taken as they are unless the config says otherwise. */
  scale: 1,
  /** The named image data sets hold bytes 0 to 255; divided by 255 they fill [0, 1]. */
  imageScale: 255,
  /** Data that fit memory are fastest there. */
  streaming: false,
  /** The members of an npz file, as in Keras' own data sets and `np.savez(file, x=..., y=...)`. */
  npzInputs: 'x',
  npzLabels: 'y',
  /** The first row of a CSV file names its columns, as pandas writes it. */
  header: true,
  delimiter: ',',
  /** Colour: most pictures have it. */
  channels: 3,
  /** Different texts of an input column: more of them are names or numbers gone wrong, and one column each would fill memory. */
  mostCategories: 1000,
  /** Where Debian's package dataset-fashion-mnist puts its files. */
  fashionMnistFolder: '/usr/share/datasets/fashion-mnist',
} as const;

/** Defaults of the metrics: Keras'. */
export const metricDefaults = {
  /** A probability above it is a yes. */
  threshold: 0.5,
  /** How many of the largest predictions count. */
  k: 5,
  /** Points of the ROC curve: an area within half a percent. */
  numThresholds: 200,
} as const;

/** Defaults of the losses: Keras'. */
export const lossDefaults = {
  /** Softmax and sigmoid sit in the model (tfjs-layers' default), where the trainer fuses them with the loss again. */
  fromLogits: false,
  /** Share of each target that is spread evenly: targets are taken as they are unless the config says otherwise. */
  labelSmoothing: 0,
  /** Up to this error huber is a square, beyond it a line. */
  huberDelta: 1,
} as const;
