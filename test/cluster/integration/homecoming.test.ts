/**
 * Room: tests of the cluster, integration. A coordinator that is killed in the middle of a step and started again on its port: its hosts kept the
 * last committed state, come back, and the run goes on from the newest one to the bits of the undisturbed run.
 */
import { fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { join, type WatchedHost } from '../../../cluster/join.ts';
import { checkRunDocument } from '../../../cluster/run-document.ts';
import type { ServeOptions } from '../../../cluster/serve.ts';
import type { MessageOf } from '../../../cluster/wire/messages.ts';
import { follow, type Program } from '../../../scripts/bench/cluster.ts';
import { modelHash } from '../../../src/local/fingerprint.ts';
import { type TrainOptions, train } from '../../../src/local/train.ts';
import { stoodStep } from '../../../src/model/standing.ts';
import { within } from '../../toy.ts';
import { coordinate, finish, loopback, run, token } from './homecoming-run.ts';
import { deadlineMs, until } from './party.ts';
import { envelope, insider } from './peers.ts';

const undisturbed = train(run()).then(({ weightsSha256 }) => weightsSha256);

function coordinator(t: ExecutionContext, options: Partial<ServeOptions>, fault?: TrainOptions['fault']): Program {
  const path = fileURLToPath(new URL('./homecoming-run.js', import.meta.url));
  const child = fork(path, [JSON.stringify(options), JSON.stringify(fault ?? null)], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  t.teardown(() => child.kill('SIGKILL'));
  return follow('the coordinator', child);
}

for (const phase of ['forward', 'reduce', 'network', 'optimizer', 'commit'] as const) {
  test.serial(`a coordinator that is killed in phase ${phase} and started again goes on with the newest state of its hosts`, async (t) => {
    const folder = mkdtempSync(joinPath(tmpdir(), 'lockstep-homecoming-'));
    t.teardown(() => rmSync(folder, { recursive: true, force: true }));
    const first = coordinator(t, {}, { rank: 0, step: 47, phase, kind: 'kill' });
    const [, port] = await first.says(/listens on (\d+)/, deadlineMs);
    const news: string[] = [];
    const steps = new Map<string, () => number>();
    const come = (name: string) => {
      const onWatched = ({ snapshot }: WatchedHost): void => void steps.set(name, () => snapshot()?.step ?? 0);
      const onNews = (sentence: string): void => void news.push(`${name}: ${sentence}`);
      return join({ url: `ws://127.0.0.1:${port}`, name, workers: 2, token, cacheFolder: joinPath(folder, name), meshListen: loopback, onNews, onWatched });
    };
    const hosts = ['one', 'other'].map(come);
    await first.says(/members one other|members other one/, deadlineMs);
    await until('its end', () => first.child.exitCode !== null || first.child.signalCode !== null);
    await until('hosts that have lost it', () => ['one', 'other'].every((name) => news.some((sentence) => sentence.startsWith(`${name}: trying again`))));
    const newest = Math.max(...[...steps.values()].map((stood) => stood()));
    const second = coordinator(t, { port: Number(port), resume: { expected: ['one', 'other'] } });
    const [, step] = await second.says(/opened at step (\d+)/, deadlineMs);
    t.is(Number(step), newest, 'no step is lost that a host has committed');
    t.true(newest === 46 || newest === 47);
    const [, sha] = await second.says(/weights (\S+)/, deadlineMs);
    t.is(sha, await undisturbed);
    const ends = await within(deadlineMs, 'the hosts', Promise.all(hosts));
    for (const { event } of ends) t.is(event?.weightsSha256, sha);
    t.is(news.filter((sentence) => /kernels/.test(sentence)).length, 2, 'the hosts prepared once only');
  });
}

test.serial('the newest state is taken; of a host that is lost meanwhile the next best one', async (t) => {
  let url = '';
  const news: string[] = [];
  const opened = coordinate({
    onNews: (sentence) => news.push(sentence),
    onListening: ({ port }) => {
      url = `ws://127.0.0.1:${port}`;
    },
    resume: { expected: ['seven', 'nine', 'eight'] },
    minHosts: 1,
  });
  await until('an address', () => url !== '');
  const come = async (name: string, holds: number, answer: (send: (offset: number, payload: Uint8Array) => void, close: () => void) => void) => {
    const { link, heard } = await insider(t, url, token);
    link.onMessage((message) => {
      heard.push(message);
      if (message.type === 'wantState')
        answer(
          (offset, payload) => void link.sendBulk(once({ ...envelope, type: 'state', step: holds, offset }, payload)),
          () => link.close(),
        );
    });
    link.send({ ...envelope, type: 'apply', name, workers: 1, address: '127.0.0.1:1', metrics: '' });
    await until('the run', () => heard.some(({ type }) => type === 'run'));
    const { spec, fingerprint } = heard.find(({ type }) => type === 'run') as MessageOf<'run'>;
    link.send({ ...envelope, generation: 31, type: 'prepared', modelHash: modelHash(checkRunDocument(spec).plan), fingerprint, holds });
    return { link, heard, asked: () => heard.filter(({ type }) => type === 'wantState').length };
  };
  const seven = await come('seven', 7, () => t.fail('it was asked'));
  const nine = await come('nine', 9, (send, close) => {
    send(0, new Uint8Array(100).fill(1));
    close();
  });
  t.is(nine.asked(), 0, 'nobody is asked before all are there');
  let state: Uint8Array = new Uint8Array();
  const eight = await come('eight', 8, (send) => send(0, state));
  // The size of the state and where its standing is are those of a plan of the same run.
  const other = await coordinate({ onNews: () => {}, onListening: () => {} });
  const { plan } = other.station;
  state = new Uint8Array(plan.state.to - plan.state.from).fill(2);
  new DataView(state.buffer).setInt32(plan.standing - plan.state.from, 8, true);
  await other.end(new Error('enough seen'));
  const crew = await within(deadlineMs, 'the crew', opened);
  t.is(stoodStep(crew.station.arena, crew.station.plan), 8);
  t.deepEqual(crew.station.arena.u8.slice(plan.state.from, plan.state.to), state);
  t.deepEqual([seven.asked(), nine.asked(), eight.asked()], [0, 1, 1]);
  const formed = () => eight.heard.find(({ type }) => type === 'generation') as MessageOf<'generation'> | undefined;
  await until('a generation', () => formed() !== undefined);
  t.deepEqual([formed()!.generation, formed()!.receivesState], [32, false]);
  await crew.end(new Error('enough seen'));
});

test.serial('who does not come back is waited for no longer than was said, and nobody is waited for otherwise', async (t) => {
  const news: string[] = [];
  const onNews = (sentence: string): void => void news.push(sentence);
  const late = await coordinate({ onNews, onListening: () => {}, minHosts: 1, resume: { expected: ['one', 'other'], waitMs: 200 } });
  t.true(news.includes('the run goes on without those that did not come back: one, other'));
  t.is(await finish(late), await undisturbed);
  const stop = new AbortController();
  let listens = false;
  const onListening = (): void => {
    listens = true;
  };
  const hurried = coordinate({ onNews, onListening, minHosts: 1, signal: stop.signal, resume: { expected: ['one'], waitMs: 1e9 } });
  await until('the door', () => listens);
  stop.abort();
  t.is(await finish(await within(deadlineMs, 'the crew', hurried)), await undisturbed);
});

function once(message: MessageOf<'state'>, payload: Uint8Array) {
  let left: { message: MessageOf<'state'>; payload: Uint8Array } | undefined = { message, payload };
  return () => {
    const piece = left;
    left = undefined;
    return piece;
  };
}
