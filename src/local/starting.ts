/**
 * Room: local (level 6). A config to begin with, for data that somebody pointed at: a plain model that trains on any of them, and the
 * reason of every choice. It opens the data as training does, so what it writes fits them.
 */
import type { DataConfigInput } from '../config/data.ts';
import { parseDataConfig } from '../config/parse.ts';
import type { RunConfigInput } from '../config/run.ts';
import { openData } from '../data/datasets.ts';
import { type Look, lookAt } from '../data/look.ts';
import type { DataSource } from '../data/source.ts';
import { sizeOf } from '../memory/shape.ts';

export interface Starting {
  readonly config: RunConfigInput;
  /** The data in a sentence. */
  readonly data: string;
  /** What was found and chosen, a sentence each. */
  readonly reasons: readonly string[];
}

/** Rows kept for validation where there are none, and what is enough rows to keep some. */
const validationSplit = 0.2;

/** The config for the data at `path`, or the data set of that name; `predict` is the column to predict in a table. Throws as opening data does. */
export async function startingConfig(path: string, predict?: string): Promise<Starting> {
  const look = await lookAt(path, predict);
  const source = await openData(parseDataConfig(look.train, 'data'));
  const { labels, length, inputShape, texts } = source;
  const classes = labels.kind === 'class' ? (texts?.classes?.length ?? labels.values.reduce((most, label) => Math.max(most, label), 0) + 1) : 0;
  const { train, validation, reasons } = prepared(look, source);
  const outputs = labels.kind === 'class' ? classes : sizeOf(labels.shape);
  const isPicture = inputShape.length > 1;
  const units = isPicture ? [300, 100] : [64, 32];
  const [batchSize, epochs] = length >= 20_000 ? [128, 5] : length >= 2000 ? [64, 20] : [Math.min(32, length), 50];
  const splits = validation === undefined && length >= 20;
  const config: RunConfigInput = {
    model: {
      layers: [
        ...(isPicture ? [{ type: 'flatten' as const, inputShape: [...inputShape] }, { type: 'batchNormalization' as const }] : []),
        ...units.flatMap((count, i) => [
          {
            type: 'dense' as const,
            units: count,
            ...(i === 0 && !isPicture && { inputShape: [...inputShape] }),
            activation: 'relu' as const,
            kernelInitializer: 'heNormal' as const,
          },
          ...(isPicture ? [{ type: 'batchNormalization' as const }] : []),
        ]),
        { type: 'dense', units: outputs, ...(classes > 0 && { activation: 'softmax' as const }) },
      ],
    },
    data: { train, ...(validation && { validation }) },
    ...(splits && { validationSplit, ...(classes > 0 && { stratify: true }) }),
    loss: classes > 0 ? 'sparseCategoricalCrossentropy' : 'meanSquaredError',
    metrics: classes > 0 ? ['accuracy'] : [],
    optimizer: isPicture ? { type: 'sgd', learningRate: 0.1, momentum: 0.9, globalClipnorm: 1 } : { type: 'adam', learningRate: 0.001 },
    batchSize,
    epochs,
    seed: 42,
  };
  return {
    config,
    data: `${length.toLocaleString('en-US')} rows of [${inputShape.join(', ')}], ${classes > 0 ? `${classes} classes` : `${outputs} value${outputs === 1 ? '' : 's'} to predict`}`,
    reasons: [
      ...reasons,
      ...(splits ? [`a fifth of the rows judges the model (\`validationSplit\`)${classes > 0 ? ', the same share of every class (`stratify`)' : ''}`] : []),
      classes > 0
        ? `softmax over ${classes} classes with \`sparseCategoricalCrossentropy\`, as each row has one of them`
        : 'outputs without activation and `meanSquaredError`, as values are predicted',
      isPicture
        ? 'sgd with momentum and clipping, as in the example for MNIST, between layers that are normalized'
        : 'adam with its usual rate: it asks for the least tuning',
      `batches of ${batchSize} rows and ${epochs} epochs, as there are ${length.toLocaleString('en-US')} rows: fewer rows want smaller batches and more epochs`,
    ],
  };
}

/** Arrays tell their type only when they are opened: bytes are divided by 255, other numbers normalized. */
function prepared({ train, validation, reasons }: Look, { inputType }: DataSource): Look {
  if (!('format' in train) || train.format !== 'npz') return { train, reasons, ...(validation && { validation }) };
  const scaled = (set: DataConfigInput): DataConfigInput => (inputType === 'uint8' ? ({ ...set, scale: 255 } as DataConfigInput) : set);
  return {
    train: inputType === 'uint8' ? scaled(train) : { ...train, normalize: 'standard' },
    ...(validation && { validation: scaled(validation) }),
    reasons: [
      ...reasons,
      inputType === 'uint8' ? 'bytes are divided by 255 (`scale`), so inputs are 0 to 1' : 'inputs are brought to mean 0 and standard deviation 1 (`normalize`)',
    ],
  };
}
