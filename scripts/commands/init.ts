/**
 * Room: scripts (level 8). `lockstep init [DATA]`: a config to begin with, and why it is as it is. It never writes over a file.
 */
import { writeFileSync } from 'node:fs';
import { dirname, isAbsolute, relative, resolve } from 'node:path';
import { Command } from 'commander';
import { type DataConfigInput, withPaths } from '../../src/config/data.ts';
import { parseDataConfig, parseRunConfig } from '../../src/config/parse.ts';
import { LockstepError } from '../../src/errors.ts';
import { startingConfig } from '../../src/local/starting.ts';

interface InitFlags {
  readonly out: string;
  readonly predict?: string;
}

export function initCommand(): Command {
  return new Command('init')
    .description('write a config that fits some data, to begin with, and say why it is as it is')
    .argument('[data]', 'a CSV, Parquet, JSON lines or npz file, IDX images, a folder of one folder of pictures a class, mnist, or fashionMnist', 'mnist')
    .option('--out <file>', 'where the config goes', 'lockstep.json')
    .option('--predict <column>', 'the column of a table that is predicted')
    .action(runInit);
}

async function runInit(data: string, { out, predict }: InitFlags): Promise<void> {
  const { config, data: found, reasons } = await startingConfig(data, predict);
  const folder = dirname(resolve(out));
  const { train, validation } = config.data;
  const written = { ...config, data: { train: pathsFrom(folder, train), ...(validation && { validation: pathsFrom(folder, validation) }) } };
  parseRunConfig(written);
  try {
    writeFileSync(out, `${JSON.stringify(written, null, 2)}\n`, { flag: 'wx' });
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    const [rule, mend] =
      code === 'EEXIST' ? ['no file', 'name another with --out, or delete it'] : ['to write a config', 'check that its folder exists and can be written'];
    throw new LockstepError(
      'LOCKSTEP_FILE',
      `Expected ${rule} at \`${out}\`, got ${code === 'EEXIST' ? 'one that is there' : `a refusal of the system (${code})`}; ${mend}.`,
      {
        cause,
      },
    );
  }
  process.stdout.write(`${data}: ${found}\n${reasons.map((reason) => `- ${reason}\n`).join('')}wrote ${out}; train it with: lockstep train ${out}\n`);
}

/** Paths as a config in `folder` names them. Only what was given is written, not its defaults. */
function pathsFrom(folder: string, data: DataConfigInput): DataConfigInput {
  const parsed = parseDataConfig(data);
  if (!('format' in parsed)) return data;
  const moved = withPaths(parsed, (path) => {
    const near = relative(folder, resolve(path));
    return isAbsolute(path) && near.startsWith('..') ? path : near;
  });
  return Object.fromEntries(Object.keys(data).map((key) => [key, moved[key as keyof typeof moved]])) as DataConfigInput;
}
