/**
 * Room: tests of the cluster, integration. Who may not take part: each is told why, the coordinator says so in a line, and the run that
 * goes on meanwhile has the weights that it would have had.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { checkRunDocument } from '../../../cluster/run-document.ts';
import type { RefusalReason } from '../../../cluster/transport/refusal.ts';
import type { MessageOf } from '../../../cluster/wire/messages.ts';
import { modelHash } from '../../../src/local/fingerprint.ts';
import { lockstep } from '../../scripts/command.ts';
import { deadlineMs, freePort, literally, type Party, party, recipe, until, writeData } from './party.ts';
import { envelope, frameOf, insider, rawPeer, type Stranger, stranger } from './peers.ts';

const run = recipe();

/** A run of two hosts, during which `act` happens; afterwards it is held to have the right weights, and to tell the `counts` of refusals. */
async function during(t: ExecutionContext, counts: RegExp, act: (cluster: Party) => Promise<void>): Promise<void> {
  const cluster = await party(t, run, { workers: 1, flags: ['--min-hosts', '2'] });
  const host = cluster.join('host', '--workers', '1');
  await cluster.reaches(20);
  await act(cluster);
  await cluster.advances(20);
  const output = await cluster.finish(t);
  t.regex(output, counts);
  t.false(/host host was lost/.test(output), 'the run was not disturbed');
  t.regex(await host.succeeds(deadlineMs), /The run is done/);
}

/** Both sides say the same sentence. */
async function refuses(t: ExecutionContext, { coordinator }: Party, { end, address }: Stranger, reason: RefusalReason, sentence: RegExp): Promise<void> {
  const refusal = await end;
  t.is(refusal?.reason, reason);
  t.regex(refusal!.message, sentence);
  await coordinator.says(new RegExp(`refused ${address} \\(${reason}\\): ${literally(refusal!.message)}\n`), deadlineMs);
}

async function runOf(one: Stranger): Promise<MessageOf<'run'>> {
  one.link.send({ ...envelope, type: 'apply', name: 'stranger', workers: 1, address: '', metrics: '' });
  await until('the run', () => one.heard.some(({ type }) => type === 'run'));
  return one.heard.find((message) => message.type === 'run')!;
}

test.serial('joiners with a wrong token, without a token, and with other data', async (t) => {
  const [wrong, folder] = [join(run.folder, 'wrong'), join(run.folder, 'other')];
  writeFileSync(wrong, 'another secret');
  mkdirSync(folder);
  writeData(folder, 99);
  await during(t, /refused connections: token 2, data 1\n/, async ({ url, coordinator }) => {
    for (const [flags, reason, sentence] of [
      [['--token-file', wrong], 'token', "Expected a proof of the run's token, got a wrong one; give both sides the same --token-file."],
      [[], 'token', "Expected a proof of the run's token, got none; give both sides the same --token-file."],
    ] as const) {
      const { code, stderr, stdout } = await lockstep('join', url, '--workers', '1', ...flags);
      t.is(stderr, `lockstep: ${sentence}\n`);
      t.is(stdout, '');
      t.is(code, 1);
      await coordinator.says(new RegExp(`refused 127\\.0\\.0\\.1:\\d+ \\(${reason}\\): ${literally(sentence)}\n`), deadlineMs);
    }
    const { code, stderr } = await lockstep('join', url, '--name', 'other', '--workers', '1', '--token-file', run.token, '--data-dir', folder);
    t.regex(stderr, /^lockstep: Expected the data in `\S+` to be the run's, with the hash [0-9a-f]+, got other data, with the hash [0-9a-f]+; .*\.\n$/);
    t.is(code, 2);
    await coordinator.says(new RegExp(`host other was lost: ${literally(stderr.slice('lockstep: '.length))}`), deadlineMs);
  });
});

test.serial('hosts with another model, other bits, another protocol or something out of turn', async (t) => {
  await during(t, /refused connections: version 1, model 1, numerics 1, stale 1, protocol 3\n/, async (cluster) => {
    const { url } = cluster;
    const version = await stranger(t, url);
    version.socket.send(frameOf({ ...envelope, version: 2, type: 'hello' }));
    await refuses(t, cluster, version, 'version', /^Expected protocol version 1, got 2; run the same Lockstep version on all hosts\.$/);

    const model = await insider(t, url, run.secret);
    const { spec, fingerprint } = await runOf(model);
    model.link.send({ ...envelope, type: 'prepared', modelHash: '0'.repeat(64), fingerprint, holds: 0 });
    await refuses(t, cluster, model, 'model', /^Expected a host with the model [0-9a-f]{12}, got 000000000000; run the same version/);

    const numerics = await insider(t, url, run.secret);
    await runOf(numerics);
    numerics.link.send({ ...envelope, type: 'prepared', modelHash: modelHash(checkRunDocument(spec).plan), fingerprint: 'f'.repeat(64), holds: 0 });
    await refuses(t, cluster, numerics, 'numerics', /^Expected a host that computes the same bits, with the numeric fingerprint [0-9a-f]{12}, got ffffffffffff; /);

    const peer = await insider(t, url, run.secret, { role: 'peer', id: 1, generation: 0 });
    await refuses(t, cluster, peer, 'stale', /^Expected a link for generation [12] or later, got one for generation 0\.$/);

    const early = await insider(t, url, run.secret);
    early.link.send({ ...envelope, type: 'ready' });
    await refuses(t, cluster, early, 'protocol', /^Expected an application first, got `ready`\.$/);

    const infinite = await insider(t, url, run.secret);
    infinite.socket.send(frameOf({ ...envelope, type: 'apply', name: 'x', workers: Number.NaN, address: '', metrics: '' }));
    await refuses(t, cluster, infinite, 'protocol', /^Expected `apply\.workers` to be an integer from 1 to 1024, got `NaN`/);

    const greedy = await insider(t, url, run.secret);
    await runOf(greedy);
    greedy.socket.send(frameOf({ ...envelope, type: 'wantData', set: 'train', chunks: [Number.NaN] }));
    await refuses(t, cluster, greedy, 'protocol', /chunks/);
  });
});

test.serial('connections that do not speak the protocol', async (t) => {
  await during(t, /refused connections: .*timeout \d.*\n/, async (cluster) => {
    const { url, coordinator } = cluster;
    const refused = async (address: string, reason: string, words: string): Promise<void> => {
      await coordinator.says(new RegExp(`refused ${address} \\(${reason}\\): .*${words}.*\n`), deadlineMs);
    };
    const slow = await rawPeer(t, url);
    const drip = setInterval(() => slow.socket.write('X'), 200);
    t.teardown(() => clearInterval(drip));
    slow.socket.write('GET / HTTP/1.1\r\nX-Slow: ');
    const dumb = await stranger(t, url);

    for (const open of [() => stranger(t, url), () => insider(t, url, run.secret)]) {
      const text = await open();
      text.socket.send('{"type":"apply"}');
      await refuses(t, cluster, text, 'protocol', /^Expected binary messages of Lockstep, got a text message; is the other side another program\?$/);

      const noise = await open();
      noise.socket.send(Buffer.alloc(400, 0x9c));
      await refuses(t, cluster, noise, 'protocol', /^Expected a header of 1 to 1048576 bytes, got \d+\.$/);

      // What is no WebSocket frame is answered with a close frame: no sentence can follow.
      const broken = await open();
      broken.raw.write(Buffer.alloc(64, 0xff));
      t.is((await broken.end)?.reason, undefined);
      await refused(broken.address, 'protocol', 'Expected frames of the WebSocket protocol');

      const long = await open();
      const header = Buffer.of(0x82, 0x80 | 127, 0, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0);
      long.raw.write(header);
      t.is((await long.end)?.reason, undefined);
      await refused(long.address, 'size', 'got the announcement of a longer one');
    }

    const noise = await rawPeer(t, url);
    noise.socket.write(Buffer.alloc(300, 0x81));
    t.regex(await noise.end, /^HTTP\/1\.1 400 .*Expected the HTTP request of a WebSocket, got something else \(HPE_\w+\)\.\n$/s);
    await refused(noise.address, 'protocol', 'Expected the HTTP request of a WebSocket');

    const page = await fetch(url.replace('ws:', 'http:'));
    t.is(page.status, 426);
    t.is(await page.text(), 'Expected a host of Lockstep, got a request for a page; hosts take part with `lockstep join`.\n');

    await refuses(t, cluster, dumb, 'timeout', /^Expected the handshake to take at most 5000 ms, got no end of it in that time\.$/);
    await slow.end;
    await refused(slow.address, 'timeout', 'Expected the handshake to take at most 5000 ms');
  });
});

test.serial('messages of a generation that is over, or of nobody, change nothing', async (t) => {
  const cluster = await party(t, run, { workers: 1, flags: ['--min-hosts', '3'] });
  const port = await freePort();
  const hosts = [cluster.join('first', '--workers', '1', '--mesh-listen', `127.0.0.1:${port}`), cluster.join('second', '--workers', '1')];
  await cluster.reaches(10);
  const toCoordinator = await insider(t, cluster.url, run.secret);
  await runOf(toCoordinator);
  // Ids of nobody: a link for a generation to come is kept until it has come.
  const early = { role: 'peer', id: 77, generation: 1000 } as const;
  const links = [await insider(t, cluster.url, run.secret, early), await insider(t, `ws://127.0.0.1:${port}`, run.secret, early)];
  for (const generation of [0, 1, 2]) {
    toCoordinator.link.send({ ...envelope, generation: 1000 + generation, type: 'ready' });
    toCoordinator.link.send({ ...envelope, generation: 1000 + generation, type: 'finished', rowSeconds: 1 });
    toCoordinator.link.send({ ...envelope, generation: 1000 + generation, type: 'recalled', committed: 1 });
    toCoordinator.link.send({ ...envelope, generation: 1000 + generation, type: 'peerLost', id: 1 });
  }
  await cluster.advances(30);
  t.false(
    [toCoordinator, ...links].some(({ link }) => link.closed),
    'what is out of time is no offence',
  );
  const output = await cluster.finish(t);
  t.regex(output, /ignored messages of generations that were over: 12\n/);
  t.false(/host (first|second) was lost/.test(output), 'the run was not disturbed');
  for (const host of hosts) t.regex(await host.succeeds(deadlineMs), /The run is done/);
});
