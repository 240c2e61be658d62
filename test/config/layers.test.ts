import test from 'ava';
import { parseLayer, parseModelConfig } from '../../src/config/parse.ts';
import { resolveActivation, resolveInitializer } from '../../src/config/resolve.ts';
import { problems } from './problems.ts';

const layerProblems = (layer: unknown) => problems(() => parseLayer(layer));

test('a parsed layer has the defaults of Keras filled in', (t) => {
  t.deepEqual(parseLayer({ type: 'dense', units: 3 }), {
    type: 'dense',
    units: 3,
    activation: 'linear',
    useBias: true,
    kernelInitializer: 'glorotUniform',
    biasInitializer: 'zeros',
  });
  t.deepEqual(parseLayer({ type: 'batchNormalization' }), {
    type: 'batchNormalization',
    axis: -1,
    momentum: 0.99,
    epsilon: 1e-3,
    center: true,
    scale: true,
    synchronized: true,
    betaInitializer: 'zeros',
    gammaInitializer: 'ones',
    movingMeanInitializer: 'zeros',
    movingVarianceInitializer: 'ones',
  });
});

test('an option that is undefined takes its default', (t) => {
  t.deepEqual(parseLayer({ type: 'dropout', rate: 0, name: undefined }), { type: 'dropout', rate: 0 });
  t.deepEqual(parseLayer({ type: 'masking' }), { type: 'masking', maskValue: 0 });
  t.deepEqual(parseLayer({ type: 'resizing', height: 3, width: 2 }), { type: 'resizing', height: 3, width: 2, interpolation: 'bilinear' });
  t.like(parseLayer({ type: 'dense', units: 3, activation: undefined }), { activation: 'linear' });
});

test('every layer type parses with its options', (t) => {
  const layers = [
    { type: 'flatten', inputShape: [28, 28], name: 'in' },
    { type: 'reshape', targetShape: [28, -1] },
    { type: 'dropout', rate: 0.5 },
    { type: 'activation', activation: { type: 'leakyReLU', alpha: 0.1 } },
    { type: 'batchNormalization', axis: [1, 2], momentum: 0.9, center: false },
  ];
  t.like(parseModelConfig({ layers }).layers, layers);
});

test('a wrong option is told with place, rule and what was received', (t) => {
  t.deepEqual(layerProblems({ type: 'dense', units: '300' }), ['Expected `layer.units` to be an integer >= 1, got `"300"`.']);
  t.deepEqual(layerProblems({ type: 'dense' }), ['Expected `layer.units` to be an integer >= 1, got nothing; add it.']);
  t.deepEqual(layerProblems({ type: 'dropout', rate: 1 }), ['Expected `layer.rate` to be a number >= 0 that is < 1 in float32, got `1`.']);
  t.deepEqual(layerProblems({ type: 'masking', maskValue: 1e39 }), ['Expected `layer.maskValue` to be a finite number in float32, got `1e+39`.']);
  t.deepEqual(layerProblems({ type: 'resizing', height: 0, width: 2, interpolation: 'bicubic' }), [
    'Expected `layer.height` to be an integer >= 1, got `0`.',
    'Expected `layer.interpolation` to be one of bilinear, nearest, got `"bicubic"`.',
  ]);
  t.deepEqual(layerProblems({ type: 'flatten', name: '1st' }), [
    'Expected `layer.name` to be a name of letters, digits, `_`, `.` and `-` that starts with a letter or `_`, got `"1st"`.',
  ]);
  t.deepEqual(layerProblems({ type: 'flatten', inputShape: [28, 0] }), ['Expected `layer.inputShape[1]` to be an integer >= 1, got `0`.']);
  t.deepEqual(layerProblems({ type: 'flatten', inputShape: 784 }), ['Expected `layer.inputShape` to be a list of at least one integer >= 1, got `784`.']);
});

test('an axis is an integer other than 0 or a list of different ones', (t) => {
  const rule = 'an axis: an integer other than 0 (the batch), or a list of different ones';
  const axis = (value: unknown) => layerProblems({ type: 'batchNormalization', axis: value });
  t.deepEqual(axis('last'), [`Expected \`layer.axis\` to be ${rule}, got \`"last"\`.`]);
  t.deepEqual(axis(0), [`Expected \`layer.axis\` to be ${rule}, got \`0\`.`]);
  t.deepEqual(axis([1, 0]), [`Expected \`layer.axis[1]\` to be ${rule}, got \`0\`.`]);
  t.deepEqual(axis([1, 1]), [`Expected \`layer.axis\` to be ${rule}, got \`[1,1]\`.`]);
  t.deepEqual(axis([]), [`Expected \`layer.axis\` to be ${rule}, got \`[]\`.`]);
});

test('a target shape may leave one size open', (t) => {
  const rule = 'a list of integers >= 1, of which one may be -1';
  const target = (value: unknown) => layerProblems({ type: 'reshape', targetShape: value });
  for (const wrong of ['[-1,-1]', '[0]', '[1.5]', '[]', '3']) {
    t.deepEqual(target(JSON.parse(wrong)), [`Expected \`layer.targetShape\` to be ${rule}, got \`${wrong}\`.`]);
  }
});

test('an unknown layer type lists the supported ones', (t) => {
  const rule =
    'a supported layer type (dense, batchNormalization, layerNormalization, activation, masking, flatten, reshape, resizing, dropout, alphaDropout, gaussianNoise, add, scalarAffine)';
  t.deepEqual(layerProblems({ type: 'attention' }), [`Expected \`layer.type\` to be ${rule}, got \`"attention"\`.`]);
  t.deepEqual(layerProblems({ type: 'Dense' }), [`Expected \`layer.type\` to be ${rule}, got \`"Dense"\`; did you mean \`dense\`?`]);
  t.deepEqual(layerProblems({}), [`Expected \`layer.type\` to be ${rule}, got nothing; add it.`]);
  t.deepEqual(layerProblems(null), ['Expected `layer` to be an object with the `type` of a layer, got `null`.']);
});

test('an unknown key names the one it is near to and the known ones', (t) => {
  t.deepEqual(layerProblems({ type: 'activation', activation: 'relu', alpha: 1 }), [
    'Unknown key `layer.alpha` (known: type, name, inputShape, trainable, activation, activityRegularizer).',
  ]);
  t.deepEqual(layerProblems({ type: 'dropout', rate: 0, 'a key\nof two lines': 1 }), [
    'Unknown key `layer["a key\\nof two lines"]` (known: type, name, inputShape, trainable, rate).',
  ]);
});

test('a required key that is only misspelt is one problem', (t) => {
  t.deepEqual(layerProblems({ type: 'dropout', Rate: 0.5 }), ['Unknown key `layer.Rate`; did you mean `rate`? (known: type, name, inputShape, trainable, rate).']);
});

test('an activation is a name or an object, and the nearer form is judged', (t) => {
  const activation = (value: unknown) => layerProblems({ type: 'activation', activation: value });
  t.deepEqual(activation({ type: 'elu', alpha: -1 }), ['Expected `layer.activation.alpha` to be 0 or a finite number > 0 in float32, got `-1`.']);
  t.deepEqual(activation({ type: 'relu' }), []);
  t.deepEqual(activation({ type: 'relu', alpha: 1 }), ['Unknown key `layer.activation.alpha` (known: type).']);
  t.regex(activation({ type: 'Elu' })[0]!, /^Expected `layer\.activation\.type` to be an activation \(linear, .*\), got `"Elu"`; did you mean `elu`\?$/);
  t.regex(activation('Relu')[0]!, /^Expected `layer\.activation` to be one of linear, relu, .*, got `"Relu"`; did you mean `relu`\?$/);
  t.regex(activation(3)[0]!, /^Expected `layer\.activation` to be one of linear, relu, .*, or an object like .*, got `3`\.$/);
});

test('an initialiser is a name or an object, and constant needs its value', (t) => {
  const initializer = (value: unknown) => layerProblems({ type: 'dense', units: 1, kernelInitializer: value });
  t.deepEqual(initializer({ type: 'constant' }), ['Expected `layer.kernelInitializer.value` to be a finite number in float32, got nothing; add it.']);
  t.deepEqual(initializer({ type: 'randomNormal', stddev: -1 }), ['Expected `layer.kernelInitializer.stddev` to be 0 or a finite number > 0 in float32, got `-1`.']);
  t.regex(initializer('he_normal')[0]!, /did you mean `heNormal`\?$/);
  t.regex(initializer('constant')[0]!, /or an object like \{ type: "constant", value: 0\.1 \}, got `"constant"`\.$/);
});

test('fixup needs to know how many blocks there are, and of how many layers', (t) => {
  const initializer = (value: unknown) => layerProblems({ type: 'dense', units: 1, kernelInitializer: value });
  t.deepEqual(initializer({ type: 'fixup', blocks: 1, layersPerBlock: 2 }), []);
  t.deepEqual(initializer({ type: 'fixup', blocks: 0, layersPerBlock: 1 }), [
    'Expected `layer.kernelInitializer.blocks` to be an integer >= 1, got `0`.',
    'Expected `layer.kernelInitializer.layersPerBlock` to be an integer >= 2, got `1`.',
  ]);
  t.deepEqual(initializer({ type: 'fixup', blocks: 3 }), ['Expected `layer.kernelInitializer.layersPerBlock` to be an integer >= 2, got nothing; add it.']);
});

test('what is added is named by its layer, or is the input of the model', (t) => {
  const rule = 'the name of an earlier layer, "@input" for the model\'s input, or a list of different ones';
  const from = (value: unknown) => layerProblems({ type: 'add', from: value });
  for (const right of ['stem', '@input', ['stem', '@input']]) t.deepEqual(from(right), []);
  for (const wrong of ['"@output"', '[]', '["a","a"]', '3', '""']) t.deepEqual(from(JSON.parse(wrong)), [`Expected \`layer.from\` to be ${rule}, got \`${wrong}\`.`]);
  t.deepEqual(from(['stem', 1]), [`Expected \`layer.from[1]\` to be ${rule}, got \`1\`.`]);
  t.deepEqual(from(undefined), [`Expected \`layer.from\` to be ${rule}, got nothing; add it.`]);
  // No layer can have the name of the input.
  t.is(layerProblems({ type: 'flatten', name: '@input' }).length, 1);
});

test('what is added stands before its sum', (t) => {
  const model = (value: unknown) => problems(() => parseModelConfig(value));
  const stem = { type: 'dense', units: 4 };
  t.deepEqual(model({ layers: [stem, stem, { type: 'add', from: ['dense', 'dense_1', '@input'] }] }), []);
  t.deepEqual(
    model({
      layers: [
        { ...stem, name: 'stem' },
        { type: 'add', from: 'stm' },
      ],
    }),
    ['Expected `model.layers[1].from` to be the name of an earlier layer, or "@input", got `"stm"`; did you mean `stem`?'],
  );
  t.deepEqual(model({ layers: [stem, { type: 'add', from: ['dense', 'head', 'add'] }, { ...stem, name: 'head' }] }), [
    'Expected `model.layers[1].from[1]` to be the name of a layer that stands before it, got `"head"`.',
    'Expected `model.layers[1].from[2]` to be the name of a layer that stands before it, got `"add"`.',
  ]);
  // Whatever else is wrong, nothing is told of names that nobody can know.
  t.deepEqual(model({ layers: [{}, { type: 'add', from: 'dense' }] }).length, 1);
});

test('names resolve to objects with their defaults', (t) => {
  t.deepEqual(resolveInitializer('randomUniform'), { type: 'randomUniform', minval: -0.05, maxval: 0.05 });
  t.deepEqual(resolveInitializer({ type: 'constant', value: 2 }), { type: 'constant', value: 2 });
  t.deepEqual(resolveInitializer('heNormal'), { type: 'heNormal' });
  t.deepEqual(resolveActivation('leakyReLU'), { type: 'leakyReLU', alpha: 0.3 });
  t.deepEqual(resolveActivation('elu'), { type: 'elu', alpha: 1 });
  t.deepEqual(resolveActivation('softmax'), { type: 'softmax', alpha: 0 });
  t.deepEqual(resolveActivation({ type: 'relu' }), { type: 'relu', alpha: 0 });
  t.deepEqual(resolveActivation({ type: 'elu', alpha: 0.5 }), { type: 'elu', alpha: 0.5 });
});

test('a model has at least one layer, different names, and an input shape on the first only', (t) => {
  const model = (value: unknown) => problems(() => parseModelConfig(value));
  t.deepEqual(model({ layers: [] }), ['Expected `model.layers` to be a list of at least one layer, got `[]`.']);
  t.deepEqual(
    model({
      layers: [
        { type: 'flatten', name: 'a', inputShape: [2] },
        { type: 'flatten', name: 'a' },
        { type: 'dense', units: 0, inputShape: [2] },
      ],
    }),
    [
      'Expected `model.layers[2].units` to be an integer >= 1, got `0`.',
      'Expected `model.layers[1].name` to be different from the name of layer 0, got `"a"`.',
      'Expected `model.layers[2].inputShape` to be absent: only the first layer has an input shape, got `[2]`.',
    ],
  );
});
