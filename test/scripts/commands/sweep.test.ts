/**
 * Room: tests of scripts. `lockstep sweep`: variants one after the other, to the bits of `lockstep train`, their table, logs and plot.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'ava';
import { temporaryFolder } from '../../data/folder.ts';
import { config, lockstep, program, start, writeRun } from '../command.ts';

const file = temporaryFolder();
const run = writeRun(file, { shards: 2 });
const at = (name: string): string => join(dirname(run), name);
const writeConfig = (name: string, changes: object): string => {
  writeFileSync(at(name), JSON.stringify({ ...config, shards: 2, ...changes }));
  return at(name);
};
const lines = (text: string): Record<string, unknown>[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
const { globalClipnorm: _, ...unclipped } = config.optimizer;

test('the weights of each variant are those of `train` with its config, and a variant that is not finite is a row like the others', async (t) => {
  const { code, stdout, stderr } = await lockstep(
    ...['sweep', run, '--vary', 'optimizer.globalClipnorm=none,0.1', '--vary', 'optimizer.learningRate=1e30,0.05'],
    ...['--epochs', '3', '--seed', '7', '--json', '--out', at('runs.svg'), '--log-dir', at('new/logs')],
  );
  t.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  const rows = lines(stdout);
  t.deepEqual(
    rows.map(({ values, end }) => [...Object.values(values as object), end]),
    [
      [null, 1e30, 'nonFinite'],
      [null, 0.05, 'done'],
      [0.1, 1e30, 'nonFinite'],
      [0.1, 0.05, 'done'],
    ],
  );
  t.regex(String(rows[0]!['reason']), /^at step \d+ in phase forward of `dense`$/);
  t.false('weightsSha256' in rows[0]!);
  const logs = readdirSync(at('new/logs')).toSorted();
  t.deepEqual(logs, [
    '1-globalClipnorm=none,learningRate=1e+30.jsonl',
    '2-globalClipnorm=none,learningRate=0.05.jsonl',
    '3-globalClipnorm=0.1,learningRate=1e+30.jsonl',
    '4-globalClipnorm=0.1,learningRate=0.05.jsonl',
  ]);
  for (const [i, optimizer] of [
    [1, { ...unclipped, learningRate: 0.05 }],
    [3, { ...unclipped, learningRate: 0.05, globalClipnorm: 0.1 }],
  ] as const) {
    const log = at(`train-${i}.jsonl`);
    const trained = await lockstep('train', writeConfig(`train-${i}.json`, { optimizer }), '--epochs', '3', '--seed', '7', '--log', log);
    t.true(trained.stdout.includes(`weights ${rows[i]!['weightsSha256']}\n`));
    const [epoch, end] = lines(readFileSync(log, 'utf8')).slice(-2);
    t.like(rows[i], { epoch: 2, loss: epoch!['loss'], metrics: epoch!['metrics'], validation: epoch!['validation'], steps: end!['steps'] });
    const untimed = (path: string): unknown[] => lines(readFileSync(path, 'utf8')).map(({ seconds: _, samplesPerSecond: __, ...event }) => event);
    t.deepEqual(untimed(join(at('new/logs'), logs[i]!)), untimed(log));
  }
  t.not(rows[1]!['weightsSha256'], rows[3]!['weightsSha256']);
  const svg = readFileSync(at('runs.svg'), 'utf8');
  for (const label of ['globalClipnorm=none, learningRate=1e+30', 'globalClipnorm=0.1, learningRate=0.05']) t.true(svg.includes(`>${label}</text>`));
  t.false(/NaN|Infinity|undefined/.test(svg));
});

test('the table has the values, the numbers of the epoch whose weights a run ends with, and the least loss', async (t) => {
  const stopping = writeConfig('stopping.json', { earlyStopping: { monitor: 'val_loss', patience: 1, restoreBestWeights: true } });
  const words = ['sweep', stopping, '--vary', 'optimizer.learningRate=0.1,3', '--epochs', '40'];
  const { code, stdout, stderr } = await lockstep(...words, '--log-dir', at('stopping'));
  t.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  const table = stdout.split('\n').slice(stdout.split('\n').findIndex((line) => line.startsWith('learningRate ')));
  t.regex(table[0]!, /^learningRate {2}epoch {2}loss +accuracy {2}val_loss {2}val_accuracy {2}steps {2}seconds {2}end$/);
  const judged = readdirSync(at('stopping'))
    .toSorted()
    .map((name, i) => {
      const losses = lines(readFileSync(join(at('stopping'), name), 'utf8')).flatMap(({ event, validation }) =>
        event === 'epoch' ? [(validation as { loss: number }).loss] : [],
      );
      const cells = table[i + 1]!.split(/ {2,}/);
      const best = losses.indexOf(Math.min(...losses));
      t.true(best < losses.length - 1, 'it stops after an epoch that is no better');
      t.deepEqual([cells[1], cells[4]], [String(best + 1), losses[best]!.toPrecision(4)]);
      t.regex(cells.at(-1)!, /^stopped, early stopping: val_loss did not get better/);
      return { best: losses[best]!, rate: cells[0] };
    });
  const least = judged.reduce((a, b) => (b.best < a.best ? b : a));
  t.is(table[3], `least val_loss: ${least.best.toPrecision(4)} of optimizer.learningRate=${least.rate}`);
  t.is(table[4], 'where early stopping restores the best weights, the numbers are those of their epoch');
});

test('every variant is checked before the first one runs; a wrong key or value is told with its variant', async (t) => {
  const refused = async (...more: string[]) => {
    const { code, stdout, stderr } = await lockstep('sweep', run, ...more);
    t.deepEqual({ code, stdout }, { code: 2, stdout: '' });
    return stderr;
  };
  t.is(
    await refused('--vary', 'optimizer.learningRate=0.1,-1', '--vary', 'epochs=1,x'),
    'lockstep: Variant optimizer.learningRate=0.1, epochs=x: Expected `epochs` to be an integer >= 1, got `"x"`.\n',
  );
  t.regex(
    await refused('--vary', 'optimizer.clipnorm=none,1'),
    /^lockstep: Variant optimizer\.clipnorm=1: Expected `optimizer\.globalClipnorm` to be 0 or absent while `clipnorm` is set/,
  );
  for (const value of ['1', 'none']) {
    t.regex(
      await refused('--vary', `optimizer.globalClipNorm=${value}`),
      /^lockstep: Variant optimizer\.globalClipNorm=.*: Unknown key `optimizer\.globalClipNorm`; did you mean `globalClipnorm`\?/,
    );
  }
  t.is(
    await refused('--vary', 'seed=1,2', '--seed', '3'),
    'lockstep: Expected `--vary seed` or `--seed`, got both, of which the second would undo the first; leave one of them out.\n',
  );
  t.regex(await refused('--vary', 'epochs=1,2', '--steps', '3'), /^lockstep: Expected `--vary epochs` or `--steps`, got both/);
  t.regex(await refused('--vary', 'seed'), /^lockstep: Expected `--vary` to be a key, `=` and values/);
  t.regex(await refused(), /'--vary <key=values>' not specified/);
  t.regex(await refused('--vary', 'seed=1', '--out', at('absent/runs.svg')), /^lockstep: Expected to write the plot .*\(ENOENT\)/);
});

test('a key that only another variant knows, or that another value brings along, can be taken away', async (t) => {
  const ends = async (...more: string[]): Promise<unknown[]> => {
    const { code, stdout, stderr } = await lockstep('sweep', run, ...more, '--steps', '1', '--json');
    t.deepEqual({ code, stderr }, { code: 0, stderr: '' });
    return lines(stdout).map(({ end }) => end);
  };
  t.deepEqual(await ends('--vary', 'optimizer.type=adam,rmsprop', '--vary', 'optimizer.momentum=none'), ['done', 'done']);
  t.deepEqual(await ends('--vary', 'optimizer.beta1=none,0.8', '--vary', 'optimizer={"type":"adam"}'), ['done', 'done']);
});

test('any other error ends the sweep with its variant named, after the table of what is done', async (t) => {
  const { code, stdout, stderr } = await lockstep('sweep', run, '--vary', 'data.train.images=train-images,absent,test-images', '--epochs', '1');
  t.is(code, 2);
  t.regex(stderr, /^lockstep: Variant data\.train\.images=absent: Expected .*absent`, but there is none; .*\n$/);
  t.regex(stdout, /^train-images +1 .* done$/m);
  t.regex(stdout, /^not in the table: 2 of 3 variants$/m);
});

test('Ctrl-C ends a sweep after the step: the table has what is done', async (t) => {
  const { child, end, says } = start(process.execPath, [program, 'sweep', run, '--vary', 'epochs=1,1000000,2', '--log-dir', at('interrupted')]);
  await says('2 of 3: epochs=1000000');
  child.kill('SIGINT');
  const { code, stdout, stderr } = await end;
  t.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  t.true(stdout.includes('stopping after this step; once more to stop at once\n'));
  t.regex(stdout, /^1 +1 .* done$/m);
  t.regex(stdout, /^1000000 .* interrupted$/m);
  t.regex(stdout, /^not in the table: 1 of 3 variants$/m);
  t.is(readdirSync(at('interrupted')).length, 2);
});
