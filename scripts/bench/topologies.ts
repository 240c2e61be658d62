/**
 * Room: scripts (level 8). Star against mesh where the network is what costs: four hosts in namespaces that send at 100 Mbit/s, with
 * 5 ms between any two. The rate is the interface's; the delay is a proxy's before the door of every listener, in its namespace.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Cluster, follow, type Launch, startCluster } from './cluster.ts';
import { createNamespaces, type Namespaces, namespacesAvailable } from './namespaces.ts';
import type { ProxyOptions } from './proxy.ts';
import { inFolder, trainedParameters, typical, writeConfig } from './run.ts';
import { type Figure, median } from './stats.ts';

type Topology = 'star' | 'mesh';

const hosts = 4;
const rateMbit = 100;
const delayMs = 5;
const steps = 45;
const deadlineMs = 300_000;

/** Behind the door: where a host listens itself, on its loopback. */
const listenPort = 7000;
const doorPort = 7001;

const proxyFile = fileURLToPath(new URL('./proxy-process.js', import.meta.url));

/** Opens a door at every host through which its listener is reached, late. */
async function openDoors(network: Namespaces): Promise<void> {
  for (const [host, address] of network.addresses.entries()) {
    const options: ProxyOptions = { listen: { host: address, port: doorPort }, target: { host: '127.0.0.1', port: listenPort }, delayMs };
    await follow(`the proxy of host ${host}`, network.run(host, process.execPath, [proxyFile, JSON.stringify(options)])).says(/listening/, 30_000);
  }
}

function flagsOf(topology: Topology, host: number, address: string): string[] {
  const listen = `127.0.0.1:${listenPort}`;
  if (host === 0) return `--listen ${listen} --workers 1 --shards ${hosts} --kernels blas --steps ${steps} --topology ${topology}`.split(' ');
  return `--workers 1${topology === 'mesh' ? ` --mesh-listen ${listen} --advertise ${address}:${doorPort}` : ''}`.split(' ');
}

interface Outcome {
  /** Of a typical step. */
  readonly seconds: number;
  /** A step, of each host: gradients alone, and everything that left its interface. */
  readonly gradientBytes: readonly number[];
  readonly interfaceBytes: readonly number[];
}

/** Trains once over the network. */
async function runOver(network: Namespaces, config: string, topology: Topology, lockstep: string | undefined): Promise<Outcome> {
  const launch: Launch = (host, file, args) => network.run(host, file, args);
  const sent = (): number[] => network.addresses.map((_, host) => network.queue(host).sentBytes);
  const cluster = await startCluster({
    config,
    hosts,
    launch,
    flags: (host) => flagsOf(topology, host, network.addresses[host]!),
    reach: () => `ws://${network.addresses[0]}:${doorPort}`,
    ...(lockstep !== undefined && { lockstep }),
  });
  try {
    // What is sent before the first step is data and state.
    const first = await stepsDone(cluster);
    const before = sent();
    const logs = await cluster.succeeds(deadlineMs);
    const after = sent();
    return {
      seconds: typical(logs[0]!.seconds),
      gradientBytes: logs.map(({ end }) => (end?.network?.gradientBytesOut ?? Number.NaN) / steps),
      interfaceBytes: after.map((bytes, host) => (bytes - before[host]!) / (steps - first)),
    };
  } finally {
    cluster.dispose();
  }
}

/** How many steps are done, as soon as it is one. */
async function stepsDone(cluster: Cluster): Promise<number> {
  for (const began = performance.now(); performance.now() - began < deadlineMs; await wait(20)) {
    const done = cluster.log(0).seconds.length;
    if (done > 0) return done;
    const lost = cluster.programs.find(({ child }) => child.exitCode !== null || child.signalCode !== null);
    if (lost) throw new Error(`Expected all hosts to train, but ${lost.name} ended; ${await lost.succeeds(0).catch(String)}`);
  }
  throw new Error(`Expected a first step within ${deadlineMs} ms, got none.`);
}

/** Bytes of gradients that a host of a mesh sends each step: its part of the sums of the others, and the result of its own part to them. */
export function meshBytes(parameters: number, hostCount: number): number {
  return (4 * 2 * parameters * (hostCount - 1)) / hostCount;
}

/** How far the host that is farthest from the formula is from it, in percent. */
export function farthest(bytes: readonly number[], expected: number): number {
  return Math.max(...bytes.map((own) => (100 * Math.abs(own - expected)) / expected));
}

export interface TopologiesOptions {
  readonly pairs?: number;
  readonly parameters?: number;
  /** The command line's file, if it is not ours. */
  readonly lockstep?: string;
}

export async function topologies({ pairs = 3, parameters = trainedParameters, lockstep }: TopologiesOptions = {}): Promise<Figure[]> {
  const available = namespacesAvailable();
  if (!available.ok) {
    process.stdout.write(`  skipped: ${available.reason}\n`);
    return [];
  }
  const runs: Readonly<Record<Topology, Outcome[]>> = { star: [], mesh: [] };
  await inFolder(async (folder) => {
    const config = writeConfig(folder, { batchSize: 256, limit: 8192 });
    for (let pair = 0; pair < pairs; pair++) {
      for (const topology of ['star', 'mesh'] as const) {
        const network = createNamespaces({ hosts, rateMbit });
        try {
          await openDoors(network);
          runs[topology].push(await runOver(network, config, topology, lockstep));
        } finally {
          network.dispose();
        }
      }
    }
  });
  const where = `${hosts} hosts, ${rateMbit} Mbit/s, ${delayMs} ms`;
  const milliseconds = (topology: Topology): number => 1000 * median(runs[topology].map(({ seconds }) => seconds));
  const megabytes = (topology: Topology): number => median(runs[topology].map(({ interfaceBytes }) => Math.max(...interfaceBytes))) / 1e6;
  const expected = meshBytes(parameters, hosts);
  return [
    { name: `a step over ${where}, star`, value: milliseconds('star'), unit: 'ms' },
    { name: `a step over ${where}, mesh`, value: milliseconds('mesh'), unit: 'ms' },
    { name: 'star against mesh', value: median(runs.star.map(({ seconds }, i) => seconds / runs.mesh[i]!.seconds)), unit: 'x', goal: { atLeast: 1 } },
    { name: 'mesh: gradients a host sends each step, by formula', value: expected / 1e6, unit: 'MB' },
    {
      name: 'mesh: the host farthest from the formula',
      value: Math.max(...runs.mesh.map((run) => farthest(run.gradientBytes, expected))),
      unit: '%',
      goal: { atMost: 5 },
    },
    { name: 'star: most that leaves an interface each step', value: megabytes('star'), unit: 'MB' },
    { name: 'mesh: most that leaves an interface each step', value: megabytes('mesh'), unit: 'MB' },
  ];
}
