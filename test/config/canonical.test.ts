/** Room: tests of config. Canonical JSON: one text for one value. */
import test from 'ava';
import fc from 'fast-check';
import { canonicalJson, hashOf } from '../../src/config/canonical.ts';

test('keys are sorted at every depth, lists keep their order, undefined is left out', (t) => {
  t.is(canonicalJson({ b: [{ d: 1, c: null }, 'x'], a: undefined, B: 0.1 }), '{"B":0.1,"b":[{"c":null,"d":1},"x"]}');
});

test('JSON parses to the same value, and to the same text when its keys are turned round', (t) => {
  const turned = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(turned);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value)
        .reverse()
        .map(([key, item]) => [key, turned(item)]),
    );
  };
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      t.deepEqual(JSON.parse(canonicalJson(value)), JSON.parse(JSON.stringify(value)));
      t.is(hashOf(turned(value)), hashOf(value));
    }),
  );
});
