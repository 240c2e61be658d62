/**
 * Room: scripts (level 8). A proxy as a process of its own, for a namespace: takes its options as JSON, prints its port and goes when
 * its standard input ends, so never outlives who started it.
 */
import { type ProxyOptions, startProxy } from './proxy.ts';

const proxy = await startProxy(JSON.parse(process.argv[2]!) as ProxyOptions);
process.stdout.write(`listening on ${proxy.port}\n`);
process.stdin.resume().once('close', () => process.exit());
