/**
 * Room: scripts (level 8). `npm run monitor [-- --port N]`: a Prometheus on this machine that scrapes the run on this machine, for as long as it
 * is not interrupted. Exit 1 when there is none or it ends by itself, 2 for a wrong argument.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { isLockstepError } from '../src/errors.ts';
import { installedPrometheus, startPrometheus } from './grafana/prometheus.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** The port that was asked for; a sentence when that is none, or more was asked for. */
function askedPort(): number | undefined | string {
  let asked: { readonly port?: string };
  try {
    asked = parseArgs({ options: { port: { type: 'string' } } }).values;
  } catch (error) {
    const [first] = (error as Error).message.split('. ');
    return `Expected no argument but --port N, got this: ${first}; leave out what is too much.`;
  }
  if (asked.port === undefined) return undefined;
  const port = Number(asked.port);
  return Number.isInteger(port) && port >= 1 && port <= 65_535
    ? port
    : `Expected --port to be an integer from 1 to 65535, got ${asked.port}; leave it out for a free one.`;
}

async function monitor(): Promise<number> {
  const port = askedPort();
  if (typeof port === 'string') {
    process.stderr.write(`monitor: ${port}\n`);
    return 2;
  }
  const version = installedPrometheus();
  if (version === undefined) {
    process.stderr.write(
      'monitor: Expected Prometheus to be installed, found no `prometheus`; get it with `apt-get install prometheus`, `brew install prometheus` or from https://prometheus.io/download/, or use Docker: docker compose -f grafana/compose.yaml up\n',
    );
    return 1;
  }
  const prometheus = await startPrometheus({ configFile: join(root, 'grafana', 'prometheus.yml'), port });
  const interrupted = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
  say(`Prometheus ${version} scrapes the run on this machine every second. Ctrl-C ends it, and what it stored goes with it.`);
  say(`  queries    ${prometheus.url}/graph`);
  say(`  alerts     ${prometheus.url}/alerts`);
  say('  live page  http://127.0.0.1:9464/');
  say('  Grafana    docker compose -f grafana/compose.yaml up   then http://127.0.0.1:3000, with a run that has --metrics 0.0.0.0:9464');
  const first = await Promise.race([interrupted, prometheus.ended]);
  if (first === undefined) {
    await prometheus.stop();
    return 0;
  }
  process.stderr.write(`monitor: Prometheus ended by itself: ${first}\n`);
  return 1;
}

try {
  process.exitCode = await monitor();
} catch (error) {
  if (!isLockstepError(error)) throw error;
  process.stderr.write(`monitor: ${error.message}\n`);
  process.exitCode = 1;
}
