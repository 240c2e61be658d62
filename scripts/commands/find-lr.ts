/**
 * Room: scripts (level 8). `lockstep find-lr CONFIG`: trains some steps with a rate that grows from step to step and suggests one.
 */
import { Command, InvalidArgumentError } from 'commander';
import { LockstepError } from '../../src/errors.ts';
import { train } from '../../src/local/train.ts';
import { Model } from '../../src/model/model.ts';
import { RateRange } from '../plot/rate-range.ts';
import { colours, svgOf } from '../plot/svg.ts';
import { configWith, integer, kernelsOption, seedOption, shardsOption, workersOption } from './options.ts';
import { writeSvg } from './plot.ts';

interface FindFlags {
  readonly from: number;
  readonly to: number;
  readonly steps: number;
  readonly out?: string;
  readonly workers?: number;
  readonly shards?: number;
  readonly seed?: number;
  readonly kernels?: 'auto' | 'wasm' | 'blas';
}

/** Lines of the table at most. */
const tableLines = 20;

function rate(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(Math.fround(value) > 0 && Math.fround(value) < Number.POSITIVE_INFINITY)) throw new InvalidArgumentError('Expected a number > 0.');
  return value;
}

export function findRateCommand(): Command {
  return new Command('find-lr')
    .description('train some steps with a growing learning rate and suggest the one at which the loss falls fastest')
    .argument('<config>', 'the config file (JSON)')
    .option('--from <rate>', 'the first rate', rate, 1e-6)
    .option('--to <rate>', 'the last rate', rate, 1)
    .option('--steps <n>', 'how many steps', integer(10), 100)
    .option('--out <file>', 'plot the loss over the rate (SVG)')
    .addOption(workersOption())
    .addOption(shardsOption())
    .addOption(kernelsOption())
    .addOption(seedOption())
    .action(runFind);
}

async function runFind(path: string, { from, to, steps, out, ...flags }: FindFlags): Promise<void> {
  if (from >= to) throw new LockstepError('LOCKSTEP_USAGE', `Expected \`--from\` to be less than \`--to\`, \`${to}\`, got \`${from}\`; exchange them.`);
  // What judges a model or ends a run is of no use here.
  const { model, data, optimizer, validationSplit: _, stratify: __, earlyStopping: ___, reduceLROnPlateau: ____, epochs: _____, ...settings } = configWith(path, flags);
  const range = new RateRange();
  let diverged = false;
  await train({
    ...settings,
    model: new Model(model),
    data: { train: data.train },
    // The rate of step i, from 0, is from * (to / from)^(i / (steps - 1)).
    optimizer: { ...optimizer, learningRate: { type: 'exponentialDecay', initialLearningRate: from, decaySteps: steps - 1, decayRate: to / from } },
    steps,
    onNonFinite: 'halt',
    haltAfterSkipped: steps + 1,
    onStep: ({ learningRate, loss, skipped }, control) => {
      if (diverged) return;
      diverged = range.add(learningRate, skipped ? Number.NaN : loss);
      if (diverged) control.stop('the loss diverged');
    },
  });
  const { points, suggestion } = range;
  const every = Math.ceil(points.length / tableLines);
  const lines = points.filter((_, i) => (i + 1) % every === 0).map((point) => [point.rate.toExponential(2), point.loss.toPrecision(4), point.smoothed.toPrecision(4)]);
  process.stdout.write(`${[['rate', 'loss', 'smoothed'], ...lines].map(([a, b, c]) => `${a!.padEnd(10)}${b!.padEnd(12)}${c}`).join('\n')}\n`);
  process.stdout.write(
    diverged ? `the loss diverged after a rate of ${points.at(-1)?.rate.toExponential(2) ?? from}\n` : `the loss did not diverge up to a rate of ${to}\n`,
  );
  if (out !== undefined && points.length > 0) {
    const [thin, thick] = [colours[0]!, colours[1]!];
    const curves = [
      { points: points.map((point) => ({ x: point.rate, y: point.loss })), colour: thin },
      { points: points.map((point) => ({ x: point.rate, y: point.smoothed })), colour: thick, marked: true },
    ];
    const mark = suggestion === undefined ? {} : { mark: { x: suggestion, text: suggestion.toExponential(2) } };
    const legend = [
      { text: 'loss', colour: thin },
      { text: 'smoothed', colour: thick },
    ];
    writeSvg(out, svgOf([{ title: 'loss', xTitle: 'learning rate', logX: true, curves, ...mark }], legend, ''));
    process.stdout.write(`wrote ${out}\n`);
  }
  process.stdout.write(
    suggestion === undefined
      ? 'no rate to suggest: the loss never fell; try other ends or more steps\n'
      : `suggested learningRate: ${Number(suggestion.toPrecision(2))}\n`,
  );
}
