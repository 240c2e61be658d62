/**
 * Room: scripts (level 8). `npm run oracles [-- DIR]`: every reference case of a folder, on every kernel set, with 1, 2 and 3
 * workers; prints the largest error of each. Exit 1 over tolerance, 2 when the folder holds a file of unknown kind.
 */
import { isLockstepError } from '../src/errors.ts';
import { runFolder } from './oracles/folder.ts';

const defaultFolder = 'test/fixtures/oracles';

try {
  const { lines, failed } = await runFolder(process.argv[2] ?? defaultFolder, (line) => process.stdout.write(`${line}\n`));
  process.stdout.write(`${lines} checks, ${failed} over tolerance\n`);
  process.exitCode = failed > 0 ? 1 : 0;
} catch (error) {
  if (!isLockstepError(error)) throw error;
  process.stderr.write(`oracles: ${error.message}\n`);
  process.exitCode = 2;
}
