/**
 * Room: tests of scripts. A program for hosts in namespaces: `serve HOST PORT` sends back what comes; `ask HOST PORT BYTES` sends so
 * many bytes and says how many came back.
 */
import { connect, createServer } from 'node:net';

const [mode, host, port, bytes] = process.argv.slice(2);
if (mode === 'serve') {
  createServer((socket) => socket.pipe(socket)).listen(Number(port), host, () => process.stdout.write('listening\n'));
} else {
  let back = 0;
  const socket = connect(Number(port), host!, () => socket.end(Buffer.alloc(Number(bytes))));
  socket.on('data', (data) => (back += data.length)).on('end', () => process.stdout.write(`${back} bytes came back\n`));
}
