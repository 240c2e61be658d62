/**
 * Room: tests of scripts. `lockstep plot`: the curves of runs, thinned without losing a peak, as an SVG and in the terminal.
 */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'ava';
import { axisFor, tickText } from '../../../scripts/plot/axis.ts';
import { thinned } from '../../../scripts/plot/curves.ts';
import { strokeOf, svgOf } from '../../../scripts/plot/svg.ts';
import { terminalPlot } from '../../../scripts/plot/terminal.ts';
import { temporaryFolder } from '../../data/folder.ts';
import { lockstep, writeRun } from '../command.ts';

const file = temporaryFolder();
const run = writeRun(file);
const at = (name: string): string => join(dirname(run), name);

test('the logs of two runs become one SVG with a panel for each number, and without --out a plot in the terminal', async (t) => {
  for (const seed of ['1', '2']) t.is((await lockstep('train', run, '--epochs', '2', '--seed', seed, '--quiet', '--log', at(`seed-${seed}.jsonl`))).code, 0);
  const { code, stdout, stderr } = await lockstep('plot', at('seed-1.jsonl'), at('seed-2.jsonl'), '--out', at('runs.svg'));
  t.deepEqual({ code, stdout, stderr }, { code: 0, stdout: `wrote ${at('runs.svg')}\n`, stderr: '' });
  const svg = readFileSync(at('runs.svg'), 'utf8');
  t.deepEqual(
    [...svg.matchAll(/font-weight="600">([a-z ]+)/g)].map(([, title]) => title),
    ['loss', 'accuracy', 'gradient norm', 'learning rate'],
  );
  for (const name of ['seed-1', 'seed-2']) t.true(svg.includes(`>${name}</text>`));
  // Two curves of training in every panel, two of validation in those of loss and metric, of two epochs each.
  t.is(svg.match(/stroke-opacity="0.55"/g)?.length, 8);
  t.is(svg.match(/stroke-width="2.2"/g)?.length, 4);
  t.is(svg.match(/<circle /g)?.length, 8);
  t.false(/NaN|Infinity|undefined/.test(svg));
  const plain = await lockstep('plot', at('seed-1.jsonl'));
  t.is(plain.code, 0);
  t.is(plain.stdout.split('\n')[0], 'loss by step, seed-1');
  t.regex(plain.stdout, /[\u2801-\u28ff]/);
});

test('a log that is being written is plotted up to its last whole line; what is no log is refused', async (t) => {
  const step = (number: number): string =>
    JSON.stringify({
      event: 'step',
      step: number,
      epoch: 0,
      samples: 1,
      loss: number === 2 ? null : 1 / number,
      metrics: {},
      gradNorm: 1,
      clipScale: 1,
      learningRate: 0.1,
    });
  const torn = file('torn.jsonl', `${step(1)}\n${step(2)}\n${step(3)}\n${step(4).slice(0, 20)}`);
  t.is((await lockstep('plot', torn, '--out', at('torn.svg'))).code, 0);
  const broken = file('broken.jsonl', `${step(1)}\n{"event"\n${step(3)}\n`);
  t.is((await lockstep('plot', broken)).stderr, `lockstep: Expected line 2 of \`${broken}\` to be JSON, got something else; give the file of \`train --log\`.\n`);
  const empty = file('empty.jsonl', '');
  t.is((await lockstep('plot', empty)).stderr, `lockstep: Expected \`${empty}\` to hold the steps of a run, got none; give the file of \`train --log\`.\n`);
  t.regex((await lockstep('plot', torn, '--out', at('absent/torn.svg'))).stderr, /^lockstep: Expected to write the plot .*\(ENOENT\)/);
});

test('thinning keeps the first and last point and every extreme', (t) => {
  const points = Array.from({ length: 10_000 }, (_, x) => ({ x, y: x === 4567 ? 100 : x === 7001 ? -100 : Math.sin(x) }));
  const kept = thinned(points, 200);
  t.true(kept.length <= 202);
  t.deepEqual([kept[0], kept.at(-1)], [points[0], points.at(-1)]);
  t.true(kept.includes(points[4567]!) && kept.includes(points[7001]!));
  t.true(kept.every((point, i) => i === 0 || point.x > kept[i - 1]!.x));
  t.is(thinned(points.slice(0, 200), 200).length, 200);
});

test('ticks are round numbers within the axis; numbers far apart get a logarithmic one', (t) => {
  t.deepEqual(axisFor(0, 1).ticks, [0, 0.2, 0.4, 0.6, 0.8, 1]);
  t.deepEqual(axisFor(3, 1003, { log: false }).ticks, [200, 400, 600, 800, 1000]);
  t.deepEqual(axisFor(1e-12, 1).ticks, [1e-12, 1e-10, 1e-8, 1e-6, 1e-4, 0.01, 1]);
  t.deepEqual(axisFor(0.9, 60).ticks, [1, 2, 5, 10, 20, 50]);
  t.is(axisFor(1e-6, 1).place(1e-3), 0.5);
  t.is(axisFor(5, 5).place(5), 0.5);
  t.false(axisFor(0, 1000).isLog);
  t.deepEqual([0, 0.0001, 0.25, 2000, 20_000, 3_000_000].map(tickText), ['0', '1e-4', '0.25', '2000', '20,000', '3e6']);
});

test('more curves than colours differ in dashes, and a legend of long texts takes more lines', (t) => {
  const strokes = Array.from({ length: 28 }, (_, i) => strokeOf(i));
  t.is(new Set(strokes.map((stroke) => JSON.stringify(stroke))).size, 28);
  t.true(strokes.slice(0, 7).every(({ dashes }) => dashes === undefined));
  const points = [
    { x: 0, y: 1 },
    { x: 1, y: 2 },
  ];
  const drawn = (text: string): string =>
    svgOf(
      [{ title: 'loss', xTitle: 'step', curves: strokes.map((stroke) => ({ points, ...stroke })) }],
      strokes.map((stroke) => ({ text, ...stroke })),
      '',
    );
  // Of each of the 21 dashed strokes one curve and one entry of the legend.
  t.is(drawn('a').match(/stroke-dasharray/g)?.length, 42);
  const height = (text: string): number => Number(/ height="(\d+)"/.exec(drawn(text))?.[1]);
  // 300 for the panel, 16 above it and 20 a line: two entries beside each other, or one.
  t.deepEqual([height('a'), height('a'.repeat(40))], [300 + 16 + 20 * 14, 300 + 16 + 20 * 28]);
});

test('a falling line in the terminal goes from the upper left to the lower right', (t) => {
  // 2 characters of 2 x 4 dots: columns 0 to 3, rows 0 to 3.
  const plot = terminalPlot(
    [
      [
        { x: 0, y: 3 },
        { x: 3, y: 0 },
      ],
    ],
    5,
    1,
  );
  t.is(plot, '3 │\u2811\u2884\n  └──\n   03');
});
