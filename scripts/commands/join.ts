/**
 * Room: scripts (level 8). `lockstep join URL`: adds this machine's cores to a run that another machine coordinates.
 */
import { availableParallelism, homedir, hostname } from 'node:os';
import { join as joinPath } from 'node:path';
import { Command, Option } from 'commander';
import { join, type WatchedHost } from '../../cluster/join.ts';
import { readUserFile } from '../../src/config/file.ts';
import { checkLog, EventLog } from '../../src/telemetry/jsonl.ts';
import { checkSecrecy, type Place, place, readTls, readToken, tlsOptions, tokenOption } from './cluster-options.ts';
import { askedFault } from './fault.ts';
import { interruption } from './interruption.ts';
import { linger, lingerFailed, type MonitorFlags, monitorOptions, openMonitor, reachableAt } from './monitoring.ts';
import { workersOption } from './options.ts';
import { checkTrace, saveTrace, type TraceFlags, traceOptions } from './tracing.ts';

interface JoinFlags extends MonitorFlags, TraceFlags {
  readonly workers?: number;
  readonly tokenFile?: string;
  readonly dataDir?: string;
  readonly cacheDir: string;
  readonly meshListen?: Place;
  readonly insecure?: boolean;
  readonly advertise?: string;
  readonly name: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsCa?: string;
  readonly log?: string;
  readonly quiet?: boolean;
}

export function joinCommand(unheard: AbortSignal): Command {
  const command = new Command('join')
    .description("add this machine's cores to a run that another machine coordinates")
    .argument('<url>', 'ws://HOST:PORT of the coordinator, which prints it')
    .addOption(workersOption())
    .addOption(tokenOption())
    .option('--data-dir <dir>', "read the data from this machine's own copy, which must be the same")
    .option('--cache-dir <dir>', 'where data that the coordinator sends are kept', joinPath(homedir(), '.cache', 'lockstep'))
    .option('--name <name>', 'what this host is called', hostname())
    .addOption(
      new Option('--mesh-listen <host:port>', 'where links of other hosts are accepted (default: a free port; of this machine alone without a token)').argParser(place),
    )
    .option('--insecure', 'accept links beyond this machine without a token')
    .option('--advertise <host:port>', 'where other hosts reach this one, when it is not where the coordinator sees it')
    .option('--tls-ca <file>', "who signed the coordinator's certificate (PEM), where the system does not know it")
    .option('--log <file>', 'write the end as a JSON line: steps, weights, bytes sent')
    .option('--quiet', 'print nothing but errors');
  for (const option of [...traceOptions(), ...monitorOptions(), ...tlsOptions()]) command.addOption(option);
  return command.action((url: string, flags: JoinFlags) => runJoin(url, flags, unheard));
}

async function runJoin(url: string, flags: JoinFlags, unheard: AbortSignal): Promise<void> {
  const say = (text: string): void => void (flags.quiet || process.stdout.write(`${text}\n`));
  if (flags.log !== undefined) checkLog(flags.log);
  checkTrace(flags);
  const fault = askedFault();
  const tell = ({ message }: Error): void => void process.stderr.write(`lockstep: ${message}\n`);
  const token = flags.tokenFile === undefined ? undefined : readToken(flags.tokenFile);
  const meshListen = flags.meshListen ?? { host: token === undefined && !flags.insecure ? '127.0.0.1' : '0.0.0.0', port: 0 };
  checkSecrecy(meshListen, token, flags.insecure ?? false, '--mesh-listen');
  const { signal, rest, release } = interruption(say);
  const ends = AbortSignal.any([signal, unheard]);
  let watched: WatchedHost | undefined;
  const monitor = await openMonitor(flags, () => ({ run: watched?.run ?? '', host: watched?.name() ?? flags.name }), say);
  try {
    const end = await join({
      url,
      name: flags.name,
      workers: flags.workers ?? availableParallelism(),
      token,
      tls: readTls(flags),
      tlsCa: flags.tlsCa === undefined ? undefined : readUserFile(flags.tlsCa, 'a certificate'),
      dataFolder: flags.dataDir,
      cacheFolder: flags.cacheDir,
      meshListen,
      advertise: flags.advertise,
      metrics: reachableAt(monitor),
      ...(flags.trace !== undefined && { record: { steps: flags.traceSteps, onRecorded: (id, name, recordings) => saveTrace(flags, id, name, recordings, tell) } }),
      onWatched(now) {
        watched = now;
        const { run, layers, parameters, kernels } = now;
        monitor?.watch(now);
        // The coordinator alone knows how far the run is to go.
        monitor?.begin({ live: { run, host: now.name(), layers, parameters, kernels, targetSteps: 0, stepsPerEpoch: 0 } });
      },
      ...(fault && { fault }),
      signal: ends,
      onNews: say,
    });
    rest();
    say(`${end.message}${end.event ? ` The last step here was ${end.event.steps}.` : ''}`);
    if (end.event) say(`weights ${end.event.weightsSha256}`);
    if (flags.log !== undefined && end.event) {
      const log = new EventLog(flags.log, tell);
      log.write(end.event);
      log.close();
    }
    await monitor?.end('done');
    await linger(monitor, flags.linger, ends, say);
  } catch (error) {
    rest();
    await lingerFailed(monitor, error, flags.linger, ends, say);
    throw error;
  } finally {
    release();
    await monitor?.close();
  }
}
