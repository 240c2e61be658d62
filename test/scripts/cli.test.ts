/**
 * Room: tests of scripts. The command line from outside: what `train`, `evaluate`, `summary` and `doctor` print, write and
 * exit with, and how a run takes Ctrl-C.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, watch, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'ava';
import { encodeSafetensors } from '../../src/checkpoint/safetensors.ts';
import { temporaryFolder } from '../data/folder.ts';
import { config, lockstep, packageRoot, pictures, program, start, weightNames, writeRun } from './command.ts';

const file = temporaryFolder();
const run = writeRun(file);
const folder = dirname(run);
const at = (name: string): string => join(folder, name);

type Line = Record<string, unknown>;
const logLines = (path: string): Line[] =>
  readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);

/** The hash of a weights file, read by nothing of ours: header length, header, then each tensor's bytes in model order. */
function hashOfFile(path: string, names: readonly string[]): string {
  const bytes = readFileSync(path);
  const start = 8 + Number(bytes.readBigUInt64LE());
  const header = JSON.parse(bytes.toString('utf8', 8, start)) as Record<string, { dtype: string; data_offsets: [number, number] }>;
  const hash = createHash('sha256');
  for (const name of names) {
    const {
      data_offsets: [from, to],
    } = header[name]!;
    hash.update(bytes.subarray(start + from, start + to));
  }
  return hash.digest('hex');
}

test('train writes the log and the weights that it was asked for, and says what it did', async (t) => {
  const [log, weights] = [at('run.jsonl'), at('run.safetensors')];
  const { code, stdout, stderr } = await lockstep('train', run, '--steps', '6', '--seed', '5', '--shards', '3', '--log', log, '--save', weights, '--metrics', 'off');
  t.is(stderr, '');
  t.is(code, 0);

  const lines = logLines(log);
  t.deepEqual(
    lines.map(({ event }) => event),
    ['step', 'step', 'step', 'step', 'epoch', 'step', 'step', 'epoch', 'end'],
  );
  const steps = lines.filter(({ event }) => event === 'step');
  for (const [i, step] of steps.entries()) {
    t.deepEqual(Object.keys(step), ['event', 'step', 'epoch', 'samples', 'loss', 'metrics', 'gradNorm', 'clipScale', 'learningRate', 'seconds']);
    t.like(step, { step: i + 1, epoch: i < 4 ? 0 : 1, samples: 50, learningRate: 0.1 });
    t.deepEqual(Object.keys(step['metrics'] as object), ['accuracy']);
    t.is(step['clipScale'], Math.min(1, 0.5 / (step['gradNorm'] as number)));
    t.true((step['loss'] as number) > 0 && (step['seconds'] as number) > 0);
  }
  const [whole, partial] = lines.filter(({ event }) => event === 'epoch');
  t.deepEqual(Object.keys(whole!), ['event', 'epoch', 'loss', 'metrics', 'validation']);
  t.deepEqual(Object.keys(whole!['validation'] as object), ['loss', 'metrics']);
  t.deepEqual(Object.keys(partial!), ['event', 'epoch', 'loss', 'metrics', 'validation', 'partial']);
  const end = lines.at(-1)!;
  t.deepEqual(Object.keys(end), ['event', 'steps', 'seconds', 'samplesPerSecond', 'weightsSha256']);
  t.is(end['steps'], 6);
  t.true((end['seconds'] as number) > 0 && (end['samplesPerSecond'] as number) > 0);
  t.is(end['weightsSha256'], hashOfFile(weights, weightNames));

  // On a machine that is busy enough for a step to come 5 s after the last line, there is a line about it.
  const told = stdout.split('\n').filter((line) => !line.startsWith('step '));
  const [parameters, kernels, first, second, done, hash] = told;
  t.is(told.length, 7);
  t.is(parameters, '227 parameters, 200 samples, 2 workers, 3 shards');
  t.is(kernels, 'kernels wasm: asked for.');
  t.regex(first!, /^epoch 1\/2 {2}loss \d\.\d{4} {2}accuracy \d+\.\d\d % {2}val_loss \d\.\d{4} {2}val_accuracy \d+\.\d\d %$/);
  t.regex(second!, /^epoch 2\/2 .+ {2}\(ended inside the epoch\)$/);
  t.regex(done!, /^done: 6 steps in .+ s, [\d,]+ samples\/s$/);
  t.is(hash, `weights ${String(end['weightsSha256'])} saved to ${weights}`);
});

test('workers change nothing that is saved or told; seed, shards and epochs do', async (t) => {
  const hash = async (...options: string[]): Promise<string> => {
    const { code, stdout, stderr } = await lockstep('train', run, '--epochs', '2', ...options);
    t.is(code, 0, stderr);
    return /^weights ([0-9a-f]{64})$/m.exec(stdout)![1]!;
  };
  const [expected, ...same] = [
    await hash('--shards', '3', '--workers', '1'),
    await hash('--shards', '3', '--workers', '2'),
    await hash('--shards', '3', '--workers', '3'),
  ];
  t.deepEqual(same, [expected, expected]);
  const others = [await hash('--shards', '3', '--seed', '9'), await hash('--shards', '4'), await hash('--shards', '3', '--epochs', '3')];
  t.is(new Set([expected, ...others]).size, 4);
});

test('init goes on from saved weights, and quiet prints nothing', async (t) => {
  const [half, whole, log] = [at('half.safetensors'), at('whole.safetensors'), at('init.jsonl')];
  t.deepEqual(await lockstep('train', run, '--steps', '4', '--quiet', '--save', half), { code: 0, stdout: '', stderr: '' });
  t.deepEqual(await lockstep('train', run, '--steps', '1', '--quiet', '--init', half, '--log', log), { code: 0, stdout: '', stderr: '' });
  t.deepEqual(await lockstep('train', run, '--steps', '5', '--quiet', '--save', whole, '--log', at('whole.jsonl')), { code: 0, stdout: '', stderr: '' });
  const [first] = logLines(at('whole.jsonl'));
  const [onward] = logLines(log);
  t.true((onward!['loss'] as number) < (first!['loss'] as number));
});

test('layers of a file are taken under other names, some of them if asked, and a table says what became of each', async (t) => {
  const old = at('old.safetensors');
  const tensor = (name: string, ...shape: number[]) => ({ name, shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(0.25) });
  const first = ['gamma', 'beta', 'moving_mean', 'moving_variance'].map((name) => tensor(`stem_norm/${name}`, 16));
  writeFileSync(old, encodeSafetensors([...first, tensor('head/kernel', 3, 2), tensor('head/bias', 2)]));
  const names = ['--init-names', 'stem_norm=batch_normalization', '--init-names', 'head=dense'];
  const { code, stdout, stderr } = await lockstep('train', run, '--steps', '1', '--init', old, ...names, '--init-partial');
  t.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  t.regex(stdout, /^layer +weights\nbatch_normalization {2}from stem_norm\n/m);
  t.regex(stdout, /^dense +not loaded: `head\/kernel` has the shape \(3, 2\), not \(\d+, \d+\)$/m);
  t.regex(stdout, /^- +not used: head$/m);
});

test('evaluate prints the loss that training ended with, and as JSON the very same number', async (t) => {
  const [weights, log] = [at('evaluated.safetensors'), at('evaluated.jsonl')];
  t.is((await lockstep('train', run, '--epochs', '1', '--save', weights, '--log', log, '--quiet')).code, 0);
  const lines = logLines(log);
  const { loss, metrics } = lines.find(({ event }) => event === 'epoch')!['validation'] as { loss: number; metrics: { accuracy: number } };
  const { code, stdout, stderr } = await lockstep('evaluate', run, '--weights', weights);
  t.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  t.is(stdout, `\`${at('test-images')}\`: 30 samples  loss ${loss.toFixed(4)}  accuracy ${(100 * metrics.accuracy).toFixed(2)} %\n`);
  const json = JSON.parse((await lockstep('evaluate', run, '--weights', weights, '--json', '--workers', '1', '--shards', '2')).stdout) as Line;
  const counted = await lockstep('evaluate', run, '--weights', weights, '--confusion');
  t.is(counted.code, 0);
  const table = counted.stdout
    .trim()
    .split('\n')
    .slice(4)
    .map((line) => line.trim().split(/ +/).slice(1).map(Number));
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  t.is(sum(table.map(sum)), 30);
  t.is(sum(table.map((row, c) => row[c]!)) / 30, metrics.accuracy);
  t.like(json, { loss, metrics, samples: 30, weightsSha256: lines.at(-1)!['weightsSha256'] });
});

test('evaluate takes every config that trains, and more shards than a batch has rows', async (t) => {
  const weights = at('small-batches.safetensors');
  const small = file('small-batches.json', JSON.stringify({ ...config, shards: 8, validationBatchSize: 4 }));
  t.is((await lockstep('train', small, '--steps', '1', '--save', weights, '--quiet')).code, 0);
  for (const options of [[], ['--shards', '51']]) {
    const { code, stderr } = await lockstep('evaluate', small, '--weights', weights, ...options);
    t.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  }
});

test("epochs on the command line take the place of the config's steps, as steps do of its epochs", async (t) => {
  const done = async (settings: object, ...options: string[]): Promise<string | undefined> => {
    const path = file('counted.json', JSON.stringify({ ...config, epochs: undefined, ...settings }));
    return /^done: (\d+) steps/m.exec((await lockstep('train', path, ...options)).stdout)?.[1];
  };
  t.is(await done({ steps: 2 }), '2');
  t.is(await done({ steps: 2 }, '--epochs', '2'), '8');
  t.is(await done({ epochs: 1 }, '--steps', '6'), '6');
  t.is(await done({ epochs: 1, steps: 2 }, '--epochs', '2', '--steps', '7'), '7');
});

test('summary prints the table of a network of three normalised layers', async (t) => {
  const hidden = (units: number) => [{ type: 'dense', units, activation: 'elu' }, { type: 'batchNormalization' }];
  const layers = [
    { type: 'flatten', inputShape: [28, 28] },
    { type: 'batchNormalization' },
    ...hidden(300),
    ...hidden(100),
    { type: 'dense', units: 10, activation: 'softmax' },
  ];
  // The data is not there: a model that declares its input shape needs none.
  const book = file('book.json', JSON.stringify({ ...config, model: { layers }, data: { train: { ...config.data.train, images: 'absent' } } }));
  const { code, stdout, stderr } = await lockstep('summary', book);
  t.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  t.is(
    stdout,
    `Model: "sequential"
________________________________________________________________________
Layer (type)                               Output Shape          Param #
========================================================================
flatten (Flatten)                          (None, 784)                 0
batch_normalization (BatchNormalization)   (None, 784)             3,136
dense (Dense)                              (None, 300)           235,500
batch_normalization_1 (BatchNormalization) (None, 300)             1,200
dense_1 (Dense)                            (None, 100)            30,100
batch_normalization_2 (BatchNormalization) (None, 100)               400
dense_2 (Dense)                            (None, 10)              1,010
========================================================================
Total params: 271,346
Trainable params: 268,978
Non-trainable params: 2,368
________________________________________________________________________
`,
  );
});

test('summary with memory says what a run needs, kind by kind', async (t) => {
  const { code, stdout } = await lockstep('summary', run, '--memory', '--workers', '3');
  t.is(code, 0);
  const memory = stdout.slice(stdout.indexOf('Memory')).trimEnd().split('\n');
  t.is(memory[0], 'Memory of one host with 3 workers, 0.01 GiB:');
  const bytes = new Map(memory.slice(1).map((line) => /^ {2}(\w+) +([\d,]+) bytes$/.exec(line)!.slice(1) as [string, string]));
  t.deepEqual([...bytes.keys()], ['control', 'parameters', 'optimizer', 'gradients', 'statistics', 'activations', 'scratch', 'data']);
  // 200 and 30 pictures of 16 bytes with a label of 4 each, in whole cache lines of 64 bytes.
  t.is(bytes.get('data'), (3200 + 832 + 512 + 128).toLocaleString('en-US'));
});

test('doctor says what the machine offers', async (t) => {
  const { code, stdout, stderr } = await lockstep('doctor');
  t.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  for (const line of [
    `node +${process.version} on `,
    'cores +\\d+ \\(',
    'memory +.+ GiB',
    'kernels +(blas|wasm): ',
    'wasm +wasm: \\d+ GFLOP/s a core',
    'mnist +60,000 training rows found',
    'fashionMnist +\\S',
  ]) {
    t.regex(stdout, new RegExp(`^${line}`, 'm'));
  }
});

test('version and help are printed and are no failure', async (t) => {
  const { version } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { version: string };
  t.deepEqual(await lockstep('--version'), { code: 0, stdout: `${version}\n`, stderr: '' });
  const help = await lockstep('--help');
  t.deepEqual({ code: help.code, stderr: help.stderr }, { code: 0, stderr: '' });
  for (const command of ['train', 'evaluate', 'summary', 'doctor']) t.regex(help.stdout, new RegExp(`^  ${command} `, 'm'));
  const trainHelp = await lockstep('train', '--help');
  t.is(trainHelp.code, 0);
  for (const option of ['workers', 'shards', 'kernels', 'steps', 'epochs', 'seed', 'init', 'save', 'log', 'quiet', 'metrics'])
    t.true(trainHelp.stdout.includes(`  --${option} `), option);
});

test('without a terminal there are no control characters', async (t) => {
  const { stdout } = await lockstep('train', run, '--steps', '300');
  t.regex(stdout, /^[\x20-\x7e\n]+$/);
  t.is(stdout.match(/^epoch /gm)?.length, 75);
});

/** util-linux's program that gives a command a terminal; BSD's takes other options. */
const terminal = 'script';

function hasTerminal(): boolean {
  try {
    return execFileSync(terminal, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).includes('util-linux');
  } catch {
    return false;
  }
}

(hasTerminal() ? test : test.skip)("on a terminal one live line has everything about the step (needs util-linux' script)", async (t) => {
  const quoted = [process.execPath, program, 'train', run, '--steps', '300'].map((word) => `'${word}'`).join(' ');
  const { code, stdout } = await start(terminal, ['-qec', `stty cols 120; ${quoted}`, '/dev/null']).end;
  t.is(code, 0);
  const live = stdout.split('\n').flatMap((line) => line.split('\r\x1b[K').filter((text) => text.startsWith('step ')));
  t.true(live.length > 0);
  for (const text of live) {
    t.regex(text.trimEnd(), /^step \d+\/300 {2}epoch \d+\/75 {2}loss \d+\.\d{4} {2}accuracy \d+\.\d\d % {2}[\d,]+ samples\/s {2}grad norm [\d.e-]+ {2}ETA .+ s$/);
  }
  t.true(live.at(-1)!.startsWith('step 300/300'));
  t.true(live.at(-1)!.endsWith('ETA 0 s'));
});

test('Ctrl-C ends a run after its step: weights and log are whole, the exit code is 0', async (t) => {
  const [log, weights] = [at('interrupted.jsonl'), at('interrupted.safetensors')];
  const { child, end, says } = start(process.execPath, [program, 'train', run, '--epochs', '1000000', '--log', log, '--save', weights]);
  await says('epoch 2/1000000');
  child.kill('SIGINT');
  const { code, stdout, stderr } = await end;
  t.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  t.true(stdout.includes('stopping after this step; once more to stop at once\n'));
  t.regex(stdout, /^interrupted: \d+ steps in /m);
  const lines = logLines(log);
  const last = lines.at(-1)!;
  t.like(last, { event: 'end', interrupted: true, weightsSha256: hashOfFile(weights, weightNames) });
  t.is(last['steps'], lines.filter(({ event }) => event === 'step').length);
  const again = await lockstep('train', run, '--steps', String(last['steps']));
  t.true(again.stdout.includes(`weights ${String(last['weightsSha256'])}\n`));
});

/** A run whose steps go over all rows and take seconds: what happens after its start finds the first step unfinished. */
function writeSlowRun(): string {
  const { images, labels } = pictures(50_000, 3);
  file('many-images', images);
  file('many-labels', labels);
  return file(
    'slow.json',
    JSON.stringify({
      model: {
        layers: [
          { type: 'flatten' },
          ...Array.from({ length: 3 }, () => ({ type: 'dense', units: 512, activation: 'relu' })),
          { type: 'dense', units: 3, activation: 'softmax' },
        ],
      },
      data: { train: { format: 'idx', images: 'many-images', labels: 'many-labels', scale: 255 } },
      loss: 'sparseCategoricalCrossentropy',
      optimizer: { type: 'sgd' },
      batchSize: 50_000,
      epochs: 1000,
      kernels: 'wasm',
      workers: 2,
    }),
  );
}
const slow = writeSlowRun();

test('a second Ctrl-C ends the process at once', async (t) => {
  const weights = at('never.safetensors');
  const { child, end, says } = start(process.execPath, [program, 'train', slow, '--save', weights]);
  await says('kernels wasm');
  child.kill('SIGINT');
  await says('stopping after this step');
  child.kill('SIGINT');
  const { code, stderr } = await end;
  t.deepEqual({ code, stderr }, { code: 130, stderr: '' });
  t.false(existsSync(weights));
});

// Readers who go away

const endless = ['train', run, '--epochs', '1000000'];

test('a reader of the output who goes away ends a run as Ctrl-C does', async (t) => {
  const [log, weights] = [at('unheard.jsonl'), at('unheard.safetensors')];
  const { child, end, says } = start(process.execPath, [program, ...endless, '--log', log, '--save', weights]);
  await says('epoch 2/1000000');
  child.stdout!.destroy();
  const { code, stderr } = await end;
  t.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  const lines = logLines(log);
  const last = lines.at(-1)!;
  t.like(last, { event: 'end', interrupted: true, weightsSha256: hashOfFile(weights, weightNames) });
  t.is(last['steps'], lines.filter(({ event }) => event === 'step').length);
});

test('Ctrl-C after the reader has gone is the first one: the run still ends after its step', async (t) => {
  const [name, weights] = ['piped.jsonl', at('piped.safetensors')];
  // The log is there when the run starts, just before it prints its first line.
  let watcher: ReturnType<typeof watch> | undefined;
  const started = new Promise<void>((resolve) => {
    watcher = watch(folder, (_, changed) => {
      if (changed === name) resolve();
    });
  });
  const { child, end } = start(process.execPath, [program, 'train', slow, '--log', at(name), '--save', weights]);
  child.stdout!.destroy();
  await Promise.race([started, end]);
  watcher?.close();
  child.kill('SIGINT');
  const { code, stderr } = await end;
  t.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  t.like(logLines(at(name)).at(-1), { event: 'end', interrupted: true });
  t.true(existsSync(weights));
});

test('commands that only print end well without a reader, and an error keeps its exit code', async (t) => {
  for (const args of [['summary', run], ['--help'], ['train', run, '--steps', '1']]) {
    const { child, end } = start(process.execPath, [program, ...args]);
    child.stdout!.destroy();
    const { code, stderr } = await end;
    t.deepEqual({ code, stderr }, { code: 0, stderr: '' }, args.join(' '));
  }
  const { child, end } = start(process.execPath, [program, 'train', at('absent.json')]);
  child.stderr!.destroy();
  t.is((await end).code, 2);
});

// Places that stop taking what is written

/** A file that can be opened and never written. */
const full = '/dev/full';
const testFull = existsSync(full) ? test : test.skip;

testFull('a log that cannot be written is told once and counted: the run goes on and its weights are saved (needs /dev/full)', async (t) => {
  const weights = at('full.safetensors');
  const { code, stdout, stderr } = await lockstep('train', run, '--steps', '2000', '--log', full, '--save', weights);
  t.is(
    stderr,
    `lockstep: Expected to write the log \`${full}\`, but the system refused (ENOSPC); the run goes on and counts the lines that are lost, so make the place writable again to keep those to come.\n`,
  );
  t.is(code, 0);
  t.regex(stdout, /^done: 2000 steps in /m);
  t.true(stdout.endsWith(`weights ${hashOfFile(weights, weightNames)} saved to ${weights}\nlog ${full}: 2,501 of 2,501 lines lost\n`), stdout);
});

testFull('a reader of errors who goes away ends a run as Ctrl-C does (needs /dev/full)', async (t) => {
  const weights = at('unheard-errors.safetensors');
  const { child, end } = start(process.execPath, [program, ...endless, '--log', full, '--save', weights]);
  child.stderr!.destroy();
  const { code, stdout } = await end;
  t.is(code, 0);
  t.regex(stdout, /^interrupted: \d+ steps in /m);
  t.true(stdout.includes(`weights ${hashOfFile(weights, weightNames)} saved to ${weights}\n`));
});

testFull('an output that cannot be written is told once, and the run goes on (needs /dev/full)', async (t) => {
  const weights = at('full-output.safetensors');
  const command = [process.execPath, program, 'train', run, '--steps', '6', '--save', weights].map((word) => `'${word}'`).join(' ');
  const { code, stderr } = await start('sh', ['-c', `${command} > ${full}`]).end;
  t.is(stderr, 'lockstep: Expected to write to the standard output, but the system refused (ENOSPC); send it to a place that can be written.\n');
  t.is(code, 2);
  t.true(existsSync(weights));
});

test('what a log has been told survives the death of the process', async (t) => {
  const log = at('killed.jsonl');
  const { child, end, says } = start(process.execPath, [program, ...endless, '--log', log]);
  await says('epoch 3/1000000');
  child.kill('SIGKILL');
  t.is((await end).code, null);
  const whole = readFileSync(log, 'utf8').split('\n').slice(0, -1);
  const events = whole.map((line) => JSON.parse(line) as Line);
  // The third epoch's line may have been told and not written when the process died; what came before it was written.
  t.true(events.filter(({ event }) => event === 'step').length >= 12);
  t.deepEqual(
    events
      .filter(({ event }) => event === 'epoch')
      .slice(0, 2)
      .map(({ epoch }) => epoch),
    [0, 1],
  );
});

test('a run that is refused leaves the log of the one before it alone', async (t) => {
  const log = at('precious.jsonl');
  writeFileSync(log, 'precious\n');
  const noData = file('no-data.json', JSON.stringify({ ...config, data: { train: { ...config.data.train, images: 'absent' } } }));
  for (const args of [
    ['train', noData],
    ['train', run, '--init', at('absent.safetensors')],
    ['train', run, '--save', at('absent/weights.safetensors')],
  ]) {
    const { code, stdout } = await lockstep(...args, '--log', log);
    t.deepEqual({ code, stdout }, { code: 2, stdout: '' });
    t.is(readFileSync(log, 'utf8'), 'precious\n');
  }
  t.is((await lockstep('train', run, '--steps', '1', '--log', log)).code, 0);
  t.is(logLines(log).length, 3);
});
