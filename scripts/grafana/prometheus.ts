/**
 * Room: scripts (level 8), Grafana. A Prometheus of one's own: found, started on a folder that goes away with it, awaited until it answers, and
 * ended.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { LockstepError } from '../../src/errors.ts';

const readyWithinMs = 30_000;
const askAgainAfterMs = 100;
const endsWithinMs = 10_000;

/** The version that is installed, or undefined without one. */
export function installedPrometheus(): string | undefined {
  const { status, stdout } = spawnSync('prometheus', ['--version'], { encoding: 'utf8' });
  return status === 0 ? /version (\S+)/.exec(stdout)?.[1] : undefined;
}

interface LocalPrometheus {
  readonly url: string;
  /** Resolves when it has ended, whoever ended it, to what it said last. */
  readonly ended: Promise<string>;
  stop(): Promise<void>;
}

async function listens(port: number): Promise<number | undefined> {
  const server = createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    return address !== null && typeof address === 'object' ? address.port : undefined;
  } catch {
    return undefined;
  } finally {
    server.close();
  }
}

/** The port that Prometheus has by habit, or any other when that is taken. */
async function freePort(): Promise<number> {
  return (await listens(9090)) ?? (await listens(0))!;
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/-/ready`)).ok;
  } catch {
    return false;
  }
}

/** Starts one on `configFile` and waits until it is ready. */
export async function startPrometheus({ configFile, port }: { readonly configFile: string; readonly port?: number | undefined }): Promise<LocalPrometheus> {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-prometheus-'));
  const address = `127.0.0.1:${port ?? (await freePort())}`;
  const args = [`--config.file=${configFile}`, `--storage.tsdb.path=${folder}`, `--web.listen-address=${address}`, '--log.level=warn'];
  // In a group of its own, so that Ctrl-C reaches only us and the folder is there until Prometheus is done with it.
  const child = spawn('prometheus', args, { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
  const ended = told(child).finally(() => rmSync(folder, { recursive: true, force: true }));
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    const patience = setTimeout(() => child.kill('SIGKILL'), endsWithinMs);
    await ended;
    clearTimeout(patience);
  };
  const url = `http://${address}`;
  const deadline = performance.now() + readyWithinMs;
  while (!(await answers(url)) || child.exitCode !== null) {
    if (child.exitCode !== null) throw failure(address, (await ended).trim());
    if (performance.now() > deadline) {
      await stop();
      throw failure(address, `no answer within ${readyWithinMs / 1000} s`);
    }
    await delay(askAgainAfterMs);
  }
  return { url, ended, stop };
}

function failure(address: string, what: string): LockstepError {
  return new LockstepError('LOCKSTEP_NETWORK', `Expected Prometheus to start at ${address}, got ${what}; give another port with --port or mend its config.`);
}

/** Resolves at the end of the process to the last line of its log. */
async function told(child: ChildProcess): Promise<string> {
  let line = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    line = text.trimEnd().split('\n').at(-1) ?? line;
  });
  await once(child, 'close');
  return line;
}
