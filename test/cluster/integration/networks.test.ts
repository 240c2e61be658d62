/**
 * Room: tests of the cluster, integration. Other ways between hosts than loopback: two machines made of network namespaces, and TLS.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import test from 'ava';
import { createNamespaces, namespacesAvailable } from '../../../scripts/bench/namespaces.ts';
import { deadlineMs, party, recipe } from './party.ts';

const run = recipe();
const steps = 62;

const available = namespacesAvailable();
const onHosts = available.ok ? test.serial : test.serial.skip;
for (const topology of ['star', 'mesh'] as const) {
  onHosts(`three hosts with addresses of their own give the bits of one process: ${topology}${available.ok ? '' : ` (${available.reason})`}`, async (t) => {
    const network = createNamespaces({ hosts: 3 });
    t.teardown(() => network.dispose());
    const cluster = await party(t, run, {
      workers: 1,
      steps,
      flags: ['--min-hosts', '3', '--topology', topology],
      listen: '0.0.0.0:0',
      launch: (host, file, args) => network.run(host, file, args, { stdio: ['ignore', 'pipe', 'pipe'] }),
      reach: (url) => url.replace(/\/\/.*:/, `//${network.addresses[0]}:`),
    });
    const hosts = [cluster.join('first', '--workers', '1'), cluster.join('second', '--workers', '2')];
    await cluster.done(t);
    for (const host of hosts) t.regex(await host.succeeds(deadlineMs), /The run is done/);
  });
}

const openssl = spawnSync('openssl', ['version']).status === 0;
const withOpenssl = openssl ? test.serial : test.serial.skip;
for (const topology of ['star', 'mesh'] as const) {
  withOpenssl(`hosts talk over TLS with a certificate of their own: ${topology}${openssl ? '' : ' (openssl is not installed)'}`, async (t) => {
    const [cert, key] = [join(run.folder, 'cert.pem'), join(run.folder, 'key.pem')];
    const subject = ['-subj', '/CN=lockstep', '-addext', 'subjectAltName=IP:127.0.0.1'];
    const { status, stderr } = spawnSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', cert, ...subject], {
      encoding: 'utf8',
    });
    t.is(status, 0, stderr);
    const cluster = await party(t, run, { workers: 1, steps, flags: ['--min-hosts', '3', '--topology', topology, '--tls-cert', cert, '--tls-key', key] });
    t.regex(cluster.url, /^wss:/);
    const hosts = ['first', 'second'].map((name) => cluster.join(name, '--workers', '1', '--tls-ca', cert, '--tls-cert', cert, '--tls-key', key));
    await cluster.done(t);
    for (const host of hosts) t.regex(await host.succeeds(deadlineMs), /The run is done/);
  });
}
