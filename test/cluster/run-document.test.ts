/** Room: tests of cluster. What hosts are told of a run: it survives the wire, and every field of it is checked. */
import test from 'ava';
import { checkRunDocument, type RunDocument, runDocument } from '../../cluster/run-document.ts';
import { parseModelConfig, parseOptimizer } from '../../src/config/parse.ts';
import type { PlanSpec } from '../../src/model/plan.ts';
import type { TrainingSpec } from '../../src/train/rank.ts';
import { refusal } from '../data/folder.ts';

const data = { length: 10, inputShape: [4], inputType: 'uint8', scale: 255, targetSize: 0 } as const;
const plan: PlanSpec = {
  model: parseModelConfig({ layers: [{ type: 'batchNormalization' }, { type: 'dense', units: 3, activation: 'softmax' }] }),
  inputShape: [4],
  loss: 'sparseCategoricalCrossentropy',
  shards: 5,
  ranks: 2,
  part: { topology: 'star', host: 0, bounds: [0, 2, 5] },
  batchRows: 8,
  optimizerSlots: 1,
  train: data,
  validation: { ...data, length: 3 },
};
const training: TrainingSpec = {
  optimizer: parseOptimizer({ type: 'sgd', learningRate: 0.1, momentum: 0.9 }),
  seed: 7,
  shuffle: true,
  batchSize: 8,
  validationBatchSize: 8,
  onNonFinite: 'skip',
  haltAfterSkipped: 5,
};
const document = runDocument(plan, training);

test('a document is the same for every host, and survives JSON and the check', (t) => {
  t.deepEqual(Object.keys(document.plan).sort(), ['batchRows', 'inputShape', 'loss', 'model', 'optimizerSlots', 'shards', 'train', 'validation']);
  t.deepEqual(runDocument({ ...plan, ranks: 7, part: { ...plan.part!, host: 1 }, traceSteps: 50 }, training), document);
  t.deepEqual(checkRunDocument(JSON.parse(JSON.stringify(document))), document);
  const told = runDocument(
    { ...plan, metrics: ['accuracy', { type: 'auc', numThresholds: 20 }], train: { ...data, weighted: true, classWeights: [1, 2.5, 0] } },
    training,
  );
  t.deepEqual(checkRunDocument(JSON.parse(JSON.stringify(told))), told);
  const clipping = runDocument({ ...plan, clipUnits: true, clipHistory: 7 }, { ...training, optimizer: parseOptimizer({ type: 'sgd', adaptiveClip: 0.01 }) });
  t.deepEqual(checkRunDocument(JSON.parse(JSON.stringify(clipping))), clipping);
  const { validation: _, ...rest } = plan;
  t.deepEqual(checkRunDocument(runDocument(rest, training)), runDocument(rest, training));
});

/** Wrong values of every field, by its path; `undefined` stands for an absent one. */
const broken: Readonly<Record<string, readonly unknown[]>> = {
  plan: [undefined, null, 3],
  'plan.model': [undefined, {}, { layers: [] }, { layers: [{ type: 'script' }] }],
  'plan.inputShape': [undefined, 4, [0], [1.5], [1, 1, 1, 1, 1, 1, 1, 1, 1]],
  'plan.loss': [undefined, 'none', 3],
  'plan.shards': [undefined, 0, 1.5, 2 ** 31, '5'],
  'plan.batchRows': [undefined, 0, -1, Number.NaN],
  'plan.optimizerSlots': [undefined, -1, 9],
  'plan.clipUnits': [1, 'yes'],
  'plan.clipHistory': [0, 1.5, 100_001, '7'],
  'plan.train': [undefined, null],
  'plan.train.length': [undefined, 0, 2 ** 31],
  'plan.train.inputShape': [undefined, ['4']],
  'plan.train.inputType': [undefined, 'int8'],
  'plan.train.scale': [undefined, 0, -1, Number.POSITIVE_INFINITY, 1e39],
  'plan.train.targetSize': [undefined, -1, 0.5],
  'plan.validation': [null, 3],
  'plan.validation.length': [undefined, 0],
  training: [undefined, []],
  'training.optimizer': [undefined, {}, { type: 'magic' }],
  'training.optimizer.learningRate': ['fast', -1],
  'training.seed': [undefined, -1, 2 ** 53],
  'training.shuffle': [undefined, 1],
  'training.batchSize': [undefined, 0],
  'training.validationBatchSize': [undefined, 0],
  'training.onNonFinite': [undefined, 'ignore'],
  'training.haltAfterSkipped': [undefined, 0],
};

/** The document with one field of another value. */
function withField(path: string, value: unknown): unknown {
  const copy = structuredClone(document) as unknown as Record<string, unknown>;
  const keys = path.split('.');
  const parent = keys.slice(0, -1).reduce<Record<string, unknown>>((item, key) => item[key] as Record<string, unknown>, copy);
  if (value === undefined) delete parent[keys.at(-1)!];
  else parent[keys.at(-1)!] = value;
  return copy;
}

for (const [path, values] of Object.entries(broken)) {
  test(`a broken \`${path}\` is refused in a sentence that names it`, (t) => {
    for (const value of values) {
      const sentence = refusal('LOCKSTEP_PROTOCOL', () => checkRunDocument(withField(path, value)));
      t.true(sentence.includes(`run.spec.${path}`), `${String(value)}: ${sentence}`);
      t.false(sentence.includes('\n'));
    }
  });
}

test('every field of the document is among those', (t) => {
  for (const part of ['plan', 'training'] as const) {
    for (const key of Object.keys(document[part] as RunDocument[typeof part])) t.true(`${part}.${key}` in broken, key);
  }
});

test('what no document has is refused, at every level, and so is what is none', (t) => {
  for (const path of ['code', 'plan.ranks', 'plan.part', 'plan.inputGradient', 'plan.train.path', 'training.workers']) {
    t.regex(
      refusal('LOCKSTEP_PROTOCOL', () => checkRunDocument(withField(path, 1))),
      new RegExp(`^Unknown key \`run\\.spec\\.${path}\``),
    );
  }
  for (const value of [undefined, null, 'run', []]) {
    t.regex(
      refusal('LOCKSTEP_PROTOCOL', () => checkRunDocument(value)),
      /^Expected `run\.spec` to be a run, got/,
    );
  }
});
