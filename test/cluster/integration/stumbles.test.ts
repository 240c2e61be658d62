/**
 * Room: tests of the cluster, integration. Ranks of a coordinator and of a host that die once, at places of a step and in ways that can be
 * named: with real sockets and threads, the run ends with the bits of the undisturbed one and every step is told once. A rank that
 * dies again and again is left out; a process without ranks, and a state that cannot be finished, cost the others nothing.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { type JoinOptions, join } from '../../../cluster/join.ts';
import { serve } from '../../../cluster/serve.ts';
import { type ErrorCode, isLockstepError } from '../../../src/errors.ts';
import { layers } from '../../../src/layers/factories.ts';
import type { Crew } from '../../../src/local/crew.ts';
import type { TrainOptions } from '../../../src/local/train.ts';
import { sequential } from '../../../src/model/model.ts';
import { classified, threads, trace, within } from '../../toy.ts';
import { deadlineMs, until } from './party.ts';

const token = 'a secret of this test';
const loopback = { host: '127.0.0.1', port: 0 };
/** Where nobody hangs, ranks that a busy machine keeps waiting are not to be taken for stuck. */
const vigil = { everyMs: 20, floorMs: 2000, steps: 8, unmeasuredMs: 20_000 };

type Fault = NonNullable<TrainOptions['fault']>;

function run(options: Partial<TrainOptions> = {}): TrainOptions {
  return {
    model: sequential([
      layers.batchNormalization(),
      layers.dense({ units: 70, activation: 'relu' }),
      layers.batchNormalization(),
      layers.dropout({ rate: 0.2 }),
      layers.dense({ units: 3, activation: 'softmax' }),
    ]),
    data: { train: classified(103, [64], 3), validation: classified(30, [64], 3, 2) },
    loss: 'sparseCategoricalCrossentropy',
    optimizer: { type: 'adam', globalClipnorm: 0.5 },
    batchSize: 20,
    epochs: 4,
    seed: 5,
    kernels: 'wasm',
    shards: 8,
    workers: 2,
    ...options,
  };
}

const undisturbed = trace(run());

interface Scene {
  readonly topology: 'star' | 'mesh';
  readonly coordinator?: Fault;
  readonly host?: Fault;
  readonly workers?: number;
  readonly minHosts?: number;
}

/** A run of a coordinator and two hosts, in this process, of which the first is disturbed. */
async function disturbed(t: ExecutionContext, { topology, coordinator, host, workers = 2, minHosts = 3 }: Scene) {
  const folder = mkdtempSync(joinPath(tmpdir(), 'lockstep-stumbles-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const news: string[] = [];
  let url = '';
  const openCrew = serve({
    ...loopback,
    token,
    runId: 'r',
    name: 'coordinator',
    workers: 2,
    minHosts,
    topology,
    heartbeatTimeoutMs: 30_000,
    onNews: (sentence) => news.push(sentence),
    onListening: ({ port }) => {
      url = `ws://127.0.0.1:${port}`;
    },
  });
  let crew: Crew | undefined;
  const onCrew = (opened: Crew): void => {
    crew = opened;
  };
  const traced = trace(run({ workers: undefined, openCrew, onCrew, ...(coordinator && { fault: coordinator }) }));
  traced.catch(() => undefined);
  await until('an address', () => url !== '');
  const come = (name: string, more: Partial<JoinOptions> = {}) => {
    const onNews = (sentence: string): void => void news.push(`${name}: ${sentence}`);
    const ended = join({ url, name, workers: 2, token, cacheFolder: joinPath(folder, 'cache'), meshListen: loopback, onNews, ...more });
    return ended.then(
      () => undefined,
      (error: unknown) => error,
    );
  };
  const hosts = [come('first', { workers, ...(host && { fault: host }), ...(host?.kind === 'hang' && { vigil }) }), come('second')];
  const told = await within(
    deadlineMs,
    'the run',
    traced.catch((error: unknown) => error),
  );
  const ends = await within(deadlineMs, 'the hosts', Promise.all(hosts));
  t.is(threads(), 0);
  return { told, ends, news, restarts: crew?.snapshot?.()?.recovery?.restarts };
}

function isError(t: ExecutionContext, error: unknown, code: ErrorCode, message: RegExp): void {
  t.true(isLockstepError(error) && error.code === code, String(error));
  t.regex((error as Error).message, message);
}

const places = ['forward', 'bn_sync', 'backward', 'reduce', 'network', 'optimizer', 'commit'] as const;

for (const who of ['coordinator', 'host'] as const) {
  for (const phase of ['optimizer', 'commit'] as const) {
    test.serial(`a rank of the ${who} that dies in phase ${phase} of the first step of an order costs no bit and no step`, async (t) => {
      const { told, ends } = await disturbed(t, { topology: 'mesh', [who]: { rank: 1, step: 1, phase, kind: 'exit', times: 1 } });
      t.deepEqual(told, await undisturbed);
      t.deepEqual(ends, [undefined, undefined]);
    });
  }
}

for (const topology of ['star', 'mesh'] as const) {
  for (const who of ['coordinator', 'host'] as const) {
    for (const [at, phase] of places.entries()) {
      for (const rank of [0, 1]) {
        // Each place with each kind, in one topology or the other.
        const kind = (at + rank + (topology === 'star' ? 0 : 1)) % 2 === 0 ? 'throw' : 'exit';
        test.serial(`rank ${rank} of the ${who} that dies once by ${kind} in phase ${phase} costs no bit and no step: ${topology}`, async (t) => {
          const fault: Fault = { rank, step: 9, phase, kind, times: 1 };
          const { told, ends, news, restarts } = await disturbed(t, { topology, [who]: fault });
          t.deepEqual(told, await undisturbed);
          t.deepEqual(ends, [undefined, undefined]);
          const name = who === 'host' ? 'first' : 'coordinator';
          const stumbles = news.filter((sentence) => / failed in phase /.test(sentence));
          t.is(stumbles.length, 1, news.join('\n'));
          t.is(restarts, who === 'coordinator' ? 1 : 0);
          t.regex(
            stumbles[0]!,
            new RegExp(`^host ${name}: Rank ${rank} failed in phase .* at step 9: .*; step 9 was (forgotten|finished) here, and it is started again$`),
          );
          if (phase === 'optimizer' || phase === 'commit') t.regex(stumbles[0]!, /finished here/);
          if (phase === 'forward' || phase === 'backward') t.regex(stumbles[0]!, /forgotten here/);
        });
      }
    }
  }

  test.serial(`a rank of a host that fails three times in ten steps is left out, with the reason: ${topology}`, async (t) => {
    const { told, ends, news } = await disturbed(t, { topology, host: { rank: 1, step: 9, phase: 'backward', kind: 'exit' } });
    t.deepEqual(told, await undisturbed);
    t.deepEqual(ends, [undefined, undefined]);
    const stumbles = news.filter((sentence) => sentence.startsWith('host first: Rank 1 failed'));
    t.is(stumbles.length, 3);
    t.regex(stumbles[2]!, /; it failed 3 times in 10 steps and is left out$/);
  });

  test.serial(`a host whose last rank is left out ends with the reason, and the run goes on: ${topology}`, async (t) => {
    const { told, ends, news } = await disturbed(t, { topology, workers: 1, minHosts: 1, host: { rank: 0, step: 9, phase: 'backward', kind: 'throw' } });
    t.deepEqual(told, await undisturbed);
    isError(t, ends[0], 'LOCKSTEP_RANK_FAILED', /^Rank 0 failed in phase .* as its only rank failed 3 times in 10 steps\.$/);
    t.is(ends[1], undefined);
    t.true(news.some((sentence) => /^host first was lost: Rank 0 failed in phase/.test(sentence)));
  });

  test.serial(`a host whose state cannot be finished joins again and gets it: ${topology}`, async (t) => {
    const { told, ends, news } = await disturbed(t, { topology, host: { rank: 1, step: 9, phase: 'commit', kind: 'throw', times: 4 } });
    t.deepEqual(told, await undisturbed);
    t.deepEqual(ends, [undefined, undefined]);
    t.true(
      news.some((sentence) => /^first: joins again without its state: Expected to finish step 9/.test(sentence)),
      news.join('\n'),
    );
  });
}

test.serial('a rank of a host that is stuck is ended and its step replayed', async (t) => {
  const { told, ends } = await disturbed(t, { topology: 'mesh', host: { rank: 1, step: 9, phase: 'forward', kind: 'hang', times: 1 } });
  t.deepEqual(told, await undisturbed);
  t.deepEqual(ends, [undefined, undefined]);
});

test.serial('a rank that dies in an evaluation costs nothing', async (t) => {
  for (const who of ['coordinator', 'host']) {
    const { told } = await disturbed(t, { topology: 'mesh', [who]: { rank: 1, step: -1, phase: 'forward', kind: 'exit', times: 2 } });
    t.deepEqual(told, await undisturbed);
  }
});

test.serial('a coordinator whose state cannot be finished fails the run, and the hosts are let go', async (t) => {
  const { told, ends } = await disturbed(t, { topology: 'mesh', coordinator: { rank: 1, step: 9, phase: 'commit', kind: 'exit' } });
  isError(t, told, 'LOCKSTEP_STATE', /^Expected to finish step 9/);
  t.deepEqual(ends, [undefined, undefined]);
});
