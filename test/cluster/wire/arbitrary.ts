/**
 * Room: tests of the cluster, wire. Arbitrary valid messages of every kind, made from the schemas themselves, and the longest.
 */
import fc from 'fast-check';
import { z } from 'zod';
import { type Message, type MessageOf, messageKinds, mostChunks } from '../../../cluster/wire/messages.ts';

type Schema = z.core.JSONSchema.JSONSchema;

/** JSON without -0 (msgpack has one zero), texts that UTF-8 changes, and `__proto__`. */
const json = fc.jsonValue({ maxDepth: 3, noUnicodeString: false }).map((value) => JSON.parse(JSON.stringify(value).replaceAll('__proto__', 'proto')) as unknown);

function arbitrary(schema: Schema, definitions: Record<string, Schema>): fc.Arbitrary<unknown> {
  if (schema.$ref !== undefined) return arbitrary(definitions[schema.$ref.slice('#/$defs/'.length)]!, definitions);
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  if (schema.type === 'integer') return fc.oneof(fc.integer({ min: schema.minimum!, max: schema.maximum! }), fc.constantFrom(schema.minimum, schema.maximum));
  if (schema.type === 'boolean') return fc.boolean();
  if (schema.type === 'number') {
    const { minimum, exclusiveMinimum, maximum = Number.MAX_VALUE } = schema;
    // msgpack has one zero.
    return fc.double({ min: minimum ?? Number(exclusiveMinimum), minExcluded: minimum === undefined, max: maximum, noNaN: true }).map((value) => value + 0);
  }
  if (schema.type === 'array') return fc.array(arbitrary(schema.items as Schema, definitions), { minLength: schema.minItems ?? 0, maxLength: 5 });
  if (schema.type === 'object') {
    const fields = Object.entries(schema.properties ?? {}).map(([name, field]) => [name, arbitrary(field as Schema, definitions)] as const);
    return fc.record(Object.fromEntries(fields), { requiredKeys: schema.required ?? [], noNullPrototype: true });
  }
  if (schema.type !== 'string') return json;
  if (schema.pattern!.includes('Cc')) return fc.string({ unit: 'grapheme', minLength: schema.minLength ?? 0, maxLength: 20 });
  return fc.stringMatching(new RegExp(schema.pattern!), { maxLength: schema.maxLength! });
}

/** An arbitrary message of one kind. */
export function messagesOf(type: string): fc.Arbitrary<Message> {
  const described = z.toJSONSchema(messageKinds.get(type)!.schema) as Schema;
  return arbitrary(described, (described.$defs ?? {}) as Record<string, Schema>) as fc.Arbitrary<Message>;
}

/** An arbitrary message of any kind. */
export const messages: fc.Arbitrary<Message> = fc.oneof(...[...messageKinds.keys()].map(messagesOf));

const most = 2 ** 31 - 1;
const envelope = { version: 1, generation: most, step: most } as const;
/** 200 UTF-16 units that take three bytes each. */
const name = '\u6f22'.repeat(200);
const digest = 'f'.repeat(64);

const times = <T>(count: number, item: T): T[] => Array.from({ length: count }, () => item);
const dataSet = { sha256: digest, bytes: Number.MAX_SAFE_INTEGER, chunks: times(mostChunks, digest), source: {} };

/** The messages with lists, each as long as it may be. */
export const longest: readonly Message[] = [
  { type: 'heartbeat', ...envelope, ranks: times(1024, { step: most, phase: most, layer: most }) },
  { type: 'wantData', ...envelope, set: 'validation', chunks: times(4096, most) },
  {
    type: 'generation',
    ...envelope,
    members: times(1024, { id: most, name, workers: 1024, first: most, end: most, address: 'w'.repeat(300) }),
    self: most,
    topology: 'mesh',
    receivesState: true,
  },
  { type: 'run', ...envelope, runId: name, spec: {}, modelHash: digest, kernels: 'wasm', fingerprint: digest, mixedNumerics: true, train: dataSet, validation: dataSet },
];

export const train: MessageOf<'train'> = {
  type: 'train',
  version: 1,
  generation: 3,
  step: 41,
  epoch: 0,
  firstBatch: 41,
  batches: 9,
  firstStep: 42,
  updates: 410,
  skippedInARow: 0,
  rateScale: 0.1,
  leastRate: 0,
};
