/**
 * Room: tests of scripts. Stands in for the command line where processes, networks and logs are tested and no training: the
 * coordinator waits for its hosts and releases them, and all write a log of steps and an end with what was sent. `--break` ends a host with code 3.
 */
import { appendFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';

const args = process.argv.slice(2);
/** The last one counts. */
const flag = (name: string, otherwise = ''): string => args[args.lastIndexOf(name) + 1 || args.length] ?? otherwise;
const log = (event: object): void => appendFileSync(flag('--log'), `${JSON.stringify(event)}\n`);
const end = (): void => log({ event: 'end', network: { bytesOut: 500, gradientBytesOut: 400 * steps } });

const steps = Number(flag('--steps', '3'));
if (args.includes('--break')) {
  process.stderr.write('broken on purpose\n');
  process.exitCode = 3;
} else if (args[0] === 'train') {
  const hosts: Socket[] = [];
  const [host, port] = flag('--listen').split(':');
  const server = createServer((socket) => {
    hosts.push(socket);
    if (hosts.length < Number(flag('--min-hosts')) - 1) return;
    for (let step = 1; step <= steps; step++) log({ event: 'step', step, samples: 256, seconds: step / 1000 });
    end();
    for (const socket of hosts) socket.end('done');
    server.close();
  });
  server.listen(Number(port), host, () => {
    const address = server.address();
    process.stdout.write(`join with: lockstep join ws://127.0.0.1:${typeof address === 'object' && address?.port} --token-file F\n`);
  });
} else {
  const { hostname, port } = new URL(args[1]!);
  connect(Number(port), hostname).on('end', end).resume();
}
