/**
 * Room: scripts (level 8). `lockstep schema`: the JSON Schema of the config file, by which editors complete and check one.
 */
import { Command } from 'commander';
import { runConfigJsonSchema } from '../../src/config/run.ts';

export function schemaCommand(): Command {
  return new Command('schema').description('print the JSON Schema of the config file, for editors').action(() => {
    process.stdout.write(`${JSON.stringify(runConfigJsonSchema(), null, 2)}\n`);
  });
}
