/**
 * Room: scripts (level 8). Options by which a process listens, trusts and is reached, and what they come to.
 */

import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';
import { InvalidArgumentError, Option } from 'commander';
import { serve } from '../../cluster/serve.ts';
import { readUserFile } from '../../src/config/file.ts';
import type { DataDescription } from '../../src/config/run.ts';
import { LockstepError } from '../../src/errors.ts';
import type { OpenCrew } from '../../src/local/crew.ts';
import { integer } from './options.ts';

export interface Place {
  readonly host: string;
  readonly port: number;
}

/** Parser of HOST:PORT. */
export function place(text: string): Place {
  const match = /^(?:\[([\da-fA-F:.]+)\]|([^\s:/]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (!match || port > 65_535) throw new InvalidArgumentError('Expected HOST:PORT, such as 0.0.0.0:7070.');
  return { host: (match[1] ?? match[2])!, port };
}

export interface ClusterFlags {
  readonly workers?: number | undefined;
  readonly listen?: Place;
  readonly minHosts?: number;
  readonly topology?: 'star' | 'mesh';
  readonly tokenFile?: string;
  readonly insecure?: boolean;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly heartbeatTimeout?: number;
  readonly allowMixedNumerics?: boolean;
}

export const tokenOption = (): Option => new Option('--token-file <file>', 'the secret that all hosts of the run share');
export const tlsOptions = (): Option[] => [
  new Option('--tls-cert <file>', 'certificate (PEM): listen with TLS'),
  new Option('--tls-key <file>', 'its private key (PEM)'),
];

export function clusterOptions(): Option[] {
  return [
    new Option('--listen <host:port>', 'coordinate a run of several hosts, which join here; port 0 is a free one').argParser(place),
    new Option('--min-hosts <n>', 'hosts that the run needs to go on, this one included when it has workers').argParser(integer(1)).default(1),
    new Option('--topology <kind>', 'how hosts exchange gradients: with each other, or through this one (behind NAT)').choices(['star', 'mesh']).default('mesh'),
    tokenOption(),
    new Option('--insecure', 'listen beyond this machine without a token'),
    ...tlsOptions(),
    new Option('--heartbeat-timeout <seconds>', 'a host that is silent for longer is taken for lost').argParser(integer(1)).default(5),
    new Option('--allow-mixed-numerics', 'let hosts take part, and a checkpoint be resumed, that make other bits: the run is then not repeatable'),
  ];
}

/** The coordinator of a run of several hosts, as the flags want it. */
export function serveWith(
  flags: ClusterFlags & { readonly runId: string },
  description: DataDescription,
  signal: AbortSignal,
  onNews: (sentence: string) => void,
): OpenCrew {
  const { listen, minHosts = 1, topology = 'mesh', heartbeatTimeout = 5, workers, runId } = flags;
  const token = flags.tokenFile === undefined ? undefined : readOrMakeToken(flags.tokenFile, onNews);
  const tls = readTls(flags);
  checkSecrecy(listen!, token, flags.insecure ?? false, '--listen');
  return serve({
    ...listen!,
    runId,
    token,
    tls,
    workers,
    minHosts,
    topology,
    heartbeatTimeoutMs: heartbeatTimeout * 1000,
    mixedNumerics: flags.allowMixedNumerics ?? false,
    description,
    name: hostname(),
    signal,
    onNews,
    onListening: ({ port }) => {
      const where = `${tls ? 'wss' : 'ws'}://${urlHost(outwardAddress(listen!.host))}:${port}`;
      const line = `${where}${flags.tokenFile === undefined ? '' : ` --token-file ${flags.tokenFile}`}`;
      onNews(`other machines join with: lockstep join ${line}`);
      onNews(`or in a clone: npm run worker -- ${line}`);
    },
  });
}

/** Beyond loopback everybody who reaches the port could take part. */
export function checkSecrecy({ host }: Place, token: string | undefined, insecure: boolean, option: string): void {
  if (token !== undefined || insecure || /^(localhost|127\.\d+\.\d+\.\d+|::1)$/.test(host)) return;
  throw new LockstepError(
    'LOCKSTEP_USAGE',
    `Expected \`--token-file\` with \`${option}\` beyond this machine, got ${host} without one; give a file for the secret, or say --insecure.`,
  );
}

/** The token of a file that must be there. */
export function readToken(path: string): string {
  const token = readUserFile(path, 'the token file', 'copy it from the machine that coordinates').toString('utf8').trim();
  if (token.length >= 8) return token;
  throw new LockstepError(
    'LOCKSTEP_USAGE',
    `Expected \`--token-file\` to hold a secret of at least 8 characters, got ${token.length} in \`${path}\`; delete it to have one made.`,
  );
}

function readOrMakeToken(path: string, onNews: (sentence: string) => void): string {
  try {
    readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return readToken(path);
    try {
      writeFileSync(path, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600, flag: 'wx' });
    } catch (cause) {
      throw new LockstepError(
        'LOCKSTEP_FILE',
        `Expected to write a new token to \`${path}\`, but the system refused (${(cause as NodeJS.ErrnoException).code}); check the path.`,
        { cause },
      );
    }
    onNews(`made a new token: copy ${path} to the machines that join`);
  }
  return readToken(path);
}

export function readTls({ tlsCert, tlsKey }: Pick<ClusterFlags, 'tlsCert' | 'tlsKey'>): { cert: Buffer; key: Buffer } | undefined {
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined) {
    throw new LockstepError(
      'LOCKSTEP_USAGE',
      `Expected \`--tls-cert\` and \`--tls-key\` together, got only ${tlsCert === undefined ? '--tls-key' : '--tls-cert'}; add the other one.`,
    );
  }
  return { cert: readUserFile(tlsCert, 'a certificate'), key: readUserFile(tlsKey, 'a private key') };
}

/** An address by which others reach what listens on all of them. */
function outwardAddress(host: string): string {
  if (host !== '0.0.0.0' && host !== '::') return host;
  const addresses = Object.values(networkInterfaces()).flatMap((own) => own ?? []);
  return addresses.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? hostname();
}

function urlHost(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
