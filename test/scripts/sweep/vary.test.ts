/**
 * Room: tests of scripts. What a sweep varies: `--vary` in words, the product of its lists, and variants laid over a config.
 */
import test from 'ava';
import fc from 'fast-check';
import { laidOver, parseVary, shortNames, textOf, variantsOf } from '../../../scripts/sweep/vary.ts';

const settings = (...texts: string[]) => variantsOf(texts.map(parseVary));
const laid = (config: unknown, ...texts: string[]): unknown[] => settings(...texts).map((variant) => laidOver(config, variant));

test('values are JSON where they are and texts otherwise; commas inside of JSON divide nothing', (t) => {
  t.deepEqual(parseVary('optimizer.globalClipnorm=none,0.1, 1 '), {
    key: 'optimizer.globalClipnorm',
    path: ['optimizer', 'globalClipnorm'],
    values: [undefined, 0.1, 1],
  });
  t.deepEqual(parseVary('loss=hinge,{"type":"huber","delta":2},"none",true').values, ['hinge', { type: 'huber', delta: 2 }, 'none', true]);
  t.deepEqual(parseVary('metrics=[],["accuracy","mae"],"a,\\"]b"').values, [[], ['accuracy', 'mae'], 'a,"]b']);
  t.deepEqual(parseVary('data.train.images=a=b,c').values, ['a=b', 'c']);
  t.deepEqual(parseVary('model.layers[12].units=1').path, ['model', 'layers', '12', 'units']);
  t.deepEqual(parseVary('epochs=null').values, [undefined]);
});

test('words that are no key and values are refused with what they should be', (t) => {
  for (const [text, message] of [
    ['epochs', 'Expected `--vary` to be a key, `=` and values, got `"epochs"`; write it like `--vary optimizer.globalClipnorm=0.1,1,none`.'],
    [
      'a..b=1',
      'Expected `--vary` to have a key of names and indices with dots between them, got `"a..b=1"`; write it like `--vary optimizer.globalClipnorm=0.1,1,none`.',
    ],
    ['=1', 'Expected `--vary` to have a key of names and indices with dots between them, got `"=1"`; write it like `--vary optimizer.globalClipnorm=0.1,1,none`.'],
    ['epochs=1,,2', 'Expected `--vary` to have a value before and after each comma, got `"epochs=1,,2"`; write `""` for an empty text.'],
    ['epochs=', 'Expected `--vary` to have a value before and after each comma, got `"epochs="`; write `""` for an empty text.'],
    ['epochs=1,2,1.0', 'Expected `--vary` to name each value once, got `"epochs=1,2,1.0"`; take away the second `1.0`.'],
    ['epochs=none,null', 'Expected `--vary` to name each value once, got `"epochs=none,null"`; take away the second `null`.'],
  ] as const) {
    t.throws(() => parseVary(text), { code: 'LOCKSTEP_USAGE', message });
  }
  t.throws(() => settings('a.b=1', 'c=1', 'a[b]=2', 'a.b=3'), { message: 'Expected `--vary` to name each key once, got `"a.b"`; give all its values to one `--vary`.' });
});

test('whatever value is written as `--vary` has it is read as the same value', (t) => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.oneof(fc.constant(undefined), fc.jsonValue(), fc.string()), { minLength: 1, selector: textOf }), (values) => {
      // At the top, null is a key that is absent; JSON has no -0.
      const wanted = values.map((value) => (value === undefined || value === null ? undefined : JSON.parse(JSON.stringify(value))));
      fc.pre(!(values.includes(null) && values.includes(undefined)));
      t.deepEqual(parseVary(`key=${values.map(textOf).join(',')}`).values, wanted);
    }),
  );
});

test('variants are all combinations, the last key changing first, each with a name and a short label', (t) => {
  t.deepEqual(
    settings('optimizer.learningRate=0.1,1', 'model.layers.0.units=4,none', 'model.layers.2.units=8').map(({ name, label }) => [name, label]),
    [
      ['optimizer.learningRate=0.1, model.layers.0.units=4, model.layers.2.units=8', 'learningRate=0.1, layers.0.units=4, layers.2.units=8'],
      ['optimizer.learningRate=0.1, model.layers.0.units=none, model.layers.2.units=8', 'learningRate=0.1, layers.0.units=none, layers.2.units=8'],
      ['optimizer.learningRate=1, model.layers.0.units=4, model.layers.2.units=8', 'learningRate=1, layers.0.units=4, layers.2.units=8'],
      ['optimizer.learningRate=1, model.layers.0.units=none, model.layers.2.units=8', 'learningRate=1, layers.0.units=none, layers.2.units=8'],
    ],
  );
  t.deepEqual(shortNames([{ path: ['seed'] }, { path: ['data', 'train', 'seed'] }, { path: ['model', 'layers', '3'] }]), ['seed', 'train.seed', 'layers.3']);
});

test('as many variants as the lists multiply to, and no two alike', (t) => {
  const lists = fc.array(fc.uniqueArray(fc.integer(), { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(lists, (values) => {
      const variants = settings(...values.map((list, i) => `k${i}=${list.join(',')}`));
      t.is(
        variants.length,
        values.reduce((product, list) => product * list.length, 1),
      );
      t.is(new Set(variants.map(({ name }) => name)).size, variants.length);
      // The number of a variant in mixed radix has the places of its values.
      for (const [number, variant] of variants.entries()) {
        let rest = number;
        for (let i = values.length - 1; i >= 0; i--) {
          t.is(variant.settings[i]!.value, values[i]![rest % values[i]!.length]);
          rest = Math.floor(rest / values[i]!.length);
        }
      }
    }),
  );
});

const config = { optimizer: { type: 'sgd', clipnorm: 1 }, model: { layers: [{ type: 'flatten' }, { type: 'dense', units: 8 }, { type: 'dense', units: 3 }] }, seed: 1 };

test('values are laid over a copy of the config: set, added, and taken away', (t) => {
  const before = structuredClone(config);
  t.deepEqual(laid(config, 'optimizer.clipnorm=none', 'optimizer.globalClipnorm=none,2'), [
    { ...config, optimizer: { type: 'sgd' } },
    { ...config, optimizer: { type: 'sgd', globalClipnorm: 2 } },
  ]);
  t.deepEqual(laid(config, 'earlyStopping.patience=none,2'), [config, { ...config, earlyStopping: { patience: 2 } }]);
  const [flatten, , last] = config.model.layers;
  t.deepEqual(laid(config, 'model.layers.1.units=9'), [{ ...config, model: { layers: [flatten, { type: 'dense', units: 9 }, last] } }]);
  t.deepEqual(config, before);
});

test('indices are those of the config though a layer before is taken away; a whole object comes before its own keys', (t) => {
  const [flatten] = config.model.layers;
  t.deepEqual(laid(config, 'model.layers.1=none', 'model.layers.2.units=5'), [{ ...config, model: { layers: [flatten, { type: 'dense', units: 5 }] } }]);
  t.deepEqual(laid(config, 'optimizer.learningRate=0.5', 'optimizer={"type":"adam"}'), [{ ...config, optimizer: { type: 'adam', learningRate: 0.5 } }]);
});

test('keys that the config has no place for are refused, and none reaches a prototype', (t) => {
  for (const [text, message] of [
    ['model.layers.3.units=1', 'Expected `--vary` to have an index < 3 below `model.layers`, got `"3"`; indices count from 0 and are those of the config.'],
    ['model.layers.dense=1', 'Expected `--vary` to have an index < 3 below `model.layers`, got `"dense"`; indices count from 0 and are those of the config.'],
    ['seed.x=1', 'Expected `seed` to be an object or a list, as `--vary` has a key below it, got `1`; vary it as a whole.'],
  ] as const) {
    t.throws(() => laid(config, text), { code: 'LOCKSTEP_USAGE', message });
  }
  t.throws(() => laid(config, 'optimizer=none', 'optimizer.clipnorm=1'), { message: /^Expected `optimizer` to be .* got nothing, as the variant takes it away; / });
  t.throws(() => laid([], 'seed=1'), { code: 'LOCKSTEP_USAGE' });
  t.throws(() => laid('text', 'seed=1'), { message: /^Expected the config to be an object/ });
  const [polluted] = laid(config, '__proto__.seed=7') as [object];
  t.true(Object.hasOwn(polluted, '__proto__'));
  t.is((polluted as { seed: number }).seed, 1);
  t.is(({} as { seed?: number }).seed, undefined);
});

test('a value that is set is found at its place, and all else stays', (t) => {
  const key = fc.stringMatching(/^[a-z]{1,3}$/);
  fc.assert(
    fc.property(fc.dictionary(key, fc.dictionary(key, fc.jsonValue()), { minKeys: 1 }), fc.nat(), key, fc.integer(), (object, pick, inner, value) => {
      const plain = JSON.parse(JSON.stringify(object)) as Record<string, Record<string, unknown>>;
      const names = Object.keys(plain);
      const outer = names[pick % names.length]!;
      t.deepEqual(laid(plain, `${outer}.${inner}=${value}`), [{ ...plain, [outer]: { ...plain[outer], [inner]: value } }]);
      const { [inner]: _, ...left } = plain[outer]!;
      t.deepEqual(laid(plain, `${outer}.${inner}=none`), [{ ...plain, [outer]: left }]);
    }),
  );
});
