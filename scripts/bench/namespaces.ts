/**
 * Room: scripts (level 8). Several hosts on one machine, for measures and for tests: Linux network namespaces, each with an
 * interface of its own, joined by a bridge in a namespace of its own. Nothing outside these namespaces is changed, so deleting
 * them deletes everything. It needs root, and Debian's iproute2.
 */
import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process';

export interface NamespacesOptions {
  readonly hosts: number;
  /** What a host may send, in megabits a second; no limit when absent. */
  readonly rateMbit?: number;
}

/** The queue through which everything goes that a host sends. */
export interface HostQueue {
  /** `tbf` when the rate is limited. */
  readonly kind: string;
  readonly bytesPerSecond: number | undefined;
  readonly sentBytes: number;
}

export interface Namespaces {
  /** The address of each host, seen from all of them. */
  readonly addresses: readonly string[];
  /** Starts a program at a host. `dispose` ends it if nobody else does. */
  run(host: number, file: string, args: readonly string[], options?: SpawnOptions): ChildProcess;
  queue(host: number): HostQueue;
  /** Ends what still runs in the namespaces and removes them; a second time does nothing. */
  dispose(): void;
}

/** `lockstep-<pid of the owner>-<number>-<host or "switch">`: the owner's pid tells later whether anybody still needs it. */
const prefix = 'lockstep';

let created = 0;

/** Makes the hosts; throws with what the system said when it refuses. What dead processes left behind is removed first. */
export function createNamespaces({ hosts, rateMbit }: NamespacesOptions): Namespaces {
  removeLeftovers();
  const stem = `${prefix}-${process.pid}-${created++}`;
  const bridge = `${stem}-switch`;
  const names = Array.from({ length: hosts }, (_, host) => `${stem}-${host}`);
  const addresses = names.map((_, host) => `10.80.${(host + 1) >> 8}.${(host + 1) & 255}`);
  const dispose = (): void => [...names, bridge].forEach(remove);
  try {
    batch(
      [],
      [...names, bridge].map((name) => `netns add ${name}`),
    );
    const cables = names.flatMap((name, host) => [
      `link add port${host} type veth peer name eth0 netns ${name}`,
      `link set port${host} master bridge0`,
      `link set port${host} up`,
    ]);
    batch(['-n', bridge], ['link add bridge0 type bridge', 'link set bridge0 up', ...cables]);
    for (const [host, name] of names.entries()) {
      batch(['-n', name], ['link set lo up', `address add ${addresses[host]}/16 dev eth0`, 'link set eth0 up']);
      // The burst must hold the largest piece that the system hands to the interface (64 kB); the queue, 100 ms of sending.
      if (rateMbit !== undefined) system('tc', ['-n', name, ...`qdisc add dev eth0 root tbf rate ${rateMbit}mbit burst 128kb latency 100ms`.split(' ')]);
    }
  } catch (error) {
    dispose();
    throw error;
  }
  return {
    addresses,
    run: (host, file, args, options = {}) => spawn('ip', ['netns', 'exec', names[host]!, file, ...args], options),
    queue: (host) => queueOf(names[host]!),
    dispose,
  };
}

/** Whether this machine lets us make hosts; the reason says what is missing. */
export function namespacesAvailable(): { readonly ok: true } | { readonly ok: false; readonly reason: string } {
  try {
    createNamespaces({ hosts: 1, rateMbit: 100 }).dispose();
    return { ok: true };
  } catch (error) {
    const user = process.getuid?.() === 0 ? '' : 'not root; ';
    return { ok: false, reason: `network namespaces cannot be made here (${user}${error instanceof Error ? error.message : String(error)})` };
  }
}

function queueOf(name: string): HostQueue {
  const [queue] = JSON.parse(system('tc', ['-n', name, '-s', '-j', 'qdisc', 'show', 'dev', 'eth0'])) as {
    readonly kind: string;
    readonly bytes: number;
    readonly options: { readonly rate?: number };
  }[];
  return { kind: queue!.kind, bytesPerSecond: queue!.options.rate, sentBytes: queue!.bytes };
}

/** Kills what runs in a namespace and deletes it. It may be gone or not be there yet, and others may remove it meanwhile. */
function remove(name: string): void {
  if (!existing().includes(name)) return;
  try {
    for (const pid of system('ip', ['netns', 'pids', name]).split('\n').filter(Boolean).map(Number)) kill(pid);
    system('ip', ['netns', 'delete', name]);
  } catch (error) {
    if (existing().includes(name)) throw error;
  }
}

function removeLeftovers(): void {
  for (const name of existing()) {
    const owner = Number(new RegExp(`^${prefix}-(\\d+)-\\d+-`).exec(name)?.[1]);
    if (owner > 0 && !lives(owner)) remove(name);
  }
}

/** The names of all namespaces of this machine. A line of `ip netns list` may go on with an id. */
function existing(): string[] {
  return system('ip', ['netns', 'list'])
    .split('\n')
    .map((line) => line.split(' ')[0]!);
}

function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return !isGone(error);
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

function isGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ESRCH';
}

/** Several commands of `ip` in one process. */
function batch(flags: readonly string[], commands: readonly string[]): void {
  system('ip', [...flags, '-batch', '-'], commands.join('\n'));
}

/** The output of a program; throws with its first line of complaint. */
function system(file: string, args: readonly string[], input = ''): string {
  const { error, status, stdout, stderr } = spawnSync(file, args, { input, encoding: 'utf8' });
  if (error) throw new Error(`${file}: ${error.message}; install iproute2`);
  if (status !== 0) throw new Error(`${[file, ...args].join(' ')}: ${stderr.trim().split('\n')[0]}`);
  return stdout;
}
