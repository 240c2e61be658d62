/**
 * Room: tests of docs. The tables of the config file: every name in them is one that the schema takes, with just these options, which have the defaults
 * that stand there.
 */
import test from 'ava';
import { parseLayer, parseOptimizer } from '../../src/config/parse.ts';
import { resolveLoss, resolveMetric } from '../../src/config/resolve.ts';
import { runConfigJsonSchema } from '../../src/config/run.ts';
import { codesIn, optionsIn, tableRows } from './markdown.ts';

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly items?: Schema;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
}

const schema = JSON.parse(JSON.stringify(runConfigJsonSchema())) as Schema;

/** The options of each type that a choice of the schema has, `type` and what every one has left out. */
function optionsByType(choice: Schema, common: readonly string[] = []): ReadonlyMap<string, readonly string[]> {
  const variants = (each: Schema): readonly Schema[] => [...(each.anyOf ?? []), ...(each.oneOf ?? [])].flatMap(variants).concat(each.properties?.['type'] ? [each] : []);
  return new Map(
    variants(choice).map(({ properties }) => [String(properties!['type']!.const), Object.keys(properties!).filter((key) => key !== 'type' && !common.includes(key))]),
  );
}

/** The options of each type in a table: `, `-lists of types share a row. */
function optionsInTable(section: string, firstColumn: string): ReadonlyMap<string, ReadonlyMap<string, string | undefined>> {
  return new Map(tableRows('docs/usage.md', section, firstColumn).flatMap(({ cells }) => codesIn(cells[0]!).map((type) => [type, optionsIn(cells[1]!)] as const)));
}

const defaultIn = (text: string): unknown => (/^[\d-]|^true$|^false$/.test(text) ? JSON.parse(text) : text);
const sorted = (names: Iterable<string>): string[] => [...names].toSorted();

for (const [title, section, firstColumn, choice, resolve] of [
  ['losses', 'Losses', 'loss', schema.properties!['loss']!, (type: string) => resolveLoss(type as Parameters<typeof resolveLoss>[0])],
  ['metrics', 'Metrics', 'metric', schema.properties!['metrics']!.items!, (type: string) => resolveMetric(type as Parameters<typeof resolveMetric>[0])],
] as const) {
  test(`the table of ${title} is that of the schema: names, options and defaults`, (t) => {
    const known = optionsByType(choice, ['name']);
    const table = optionsInTable(section, firstColumn);
    t.deepEqual(sorted(table.keys()), sorted(known.keys()));
    for (const [type, options] of table) {
      t.deepEqual(sorted(options.keys()), sorted(known.get(type)!), type);
      const resolved = resolve(type) as unknown as Record<string, unknown>;
      for (const [option, value] of options) if (value !== undefined) t.is(resolved[option], defaultIn(value), `${type}.${option}`);
    }
  });
}

const ofOptimizers = optionsByType(schema.properties!['optimizer']!);
const rate = (schema.properties!['optimizer']!.oneOf ?? schema.properties!['optimizer']!.anyOf)![0]!.properties!['learningRate']!;
const ofSchedules = optionsByType(rate, ['warmupSteps', 'warmupFrom']);
/** Optimizers and schedules: both tables have types in their first column. */
const types = optionsInTable('Optimizers', 'type');

test('the tables of optimizers and of learning rates have every type', (t) => {
  t.deepEqual(sorted(types.keys()), sorted([...ofOptimizers.keys(), ...ofSchedules.keys()]));
});

test('the tables of optimizers are those of the schema: options and defaults', (t) => {
  const common = [...optionsInTable('Optimizers', 'option').keys()];
  const clips = [...optionsInTable('Clipping', 'option').keys()];
  for (const [type, known] of ofOptimizers) {
    const shown = types.get(type)!;
    const options = shown.has('adam') ? new Map([...types.get('adam')!, ...shown]) : shown;
    const own = [...options.keys()].filter((option) => !['adam', 'accumulator'].includes(option));
    t.deepEqual(sorted(new Set([...own, ...common, ...clips])), sorted(known), type);
    const parsed = parseOptimizer({ type }) as unknown as Record<string, unknown>;
    for (const [option, value] of options) if (value !== undefined) t.is(parsed[option], defaultIn(value), `${type}.${option}`);
  }
});

/** What each schedule needs besides its defaults. */
const rates = {
  constant: { learningRate: 1 },
  stepDecay: { boundaries: [1], values: [1, 2] },
  exponentialDecay: { initialLearningRate: 1, decaySteps: 2, decayRate: 0.5 },
  polynomialDecay: { initialLearningRate: 1, decaySteps: 2 },
  cosineDecay: { initialLearningRate: 1, decaySteps: 2 },
  cosineDecayRestarts: { initialLearningRate: 1, firstDecaySteps: 2 },
  oneCycle: { maxLearningRate: 1, totalSteps: 5 },
};

test('the table of learning rates is that of the schema: options and defaults', (t) => {
  t.deepEqual(sorted(Object.keys(rates)), sorted(ofSchedules.keys()));
  for (const [type, needed] of Object.entries(rates)) {
    const options = types.get(type)!;
    const parsed = parseOptimizer({ type: 'sgd', learningRate: { type, ...needed } }).learningRate as unknown as Record<string, unknown>;
    for (const option of ofSchedules.get(type)!) t.true(options.has(option), `${type}.${option}`);
    for (const [option, value] of options) if (value !== undefined && !(option in needed)) t.is(parsed[option], defaultIn(value), `${type}.${option}`);
  }
});

test('the table of layers names types of the schema, all of them, and options that they have', (t) => {
  const layers = schema.properties!['model']!.properties!['layers']!.items!;
  const known = optionsByType(layers, ['name', 'inputShape']);
  const rows = tableRows('docs/usage.md', 'Layers', 'type');
  t.deepEqual(sorted(rows.flatMap(({ cells }) => codesIn(cells[0]!))), sorted(known.keys()));
  for (const { cells } of rows) {
    const types = codesIn(cells[0]!);
    for (const option of codesIn(cells[1]!))
      t.true(
        types.some((type) => known.get(type)!.includes(option)),
        `${types}: ${option}`,
      );
  }
  t.throws(() => parseLayer({ type: 'dense', units: 1, unit: 2 }));
});

test('the table of keys is that of the schema', (t) => {
  const rows = tableRows('docs/usage.md', 'The config file', 'key');
  const keys = rows.flatMap(({ cells }) => codesIn(cells[0]!)).map((key) => key.split('.')[0]!);
  t.deepEqual(sorted(new Set(keys)), sorted(Object.keys(schema.properties!).filter((key) => key !== '$schema')));
});
