/**
 * Room: tests of the cluster, integration. The run of the tests of a coordinator that is started again, and its coordinator as a process of its
 * own, which can be killed: it goes on from wherever the crew stands once it is there.
 */
import { type ServeOptions, serve } from '../../../cluster/serve.ts';
import { stepsPerEpoch } from '../../../src/data/sampler.ts';
import { layers } from '../../../src/layers/factories.ts';
import type { Crew } from '../../../src/local/crew.ts';
import type { SessionOptions } from '../../../src/local/session.ts';
import { type TrainOptions, train } from '../../../src/local/train.ts';
import { sequential } from '../../../src/model/model.ts';
import { readStanding } from '../../../src/model/standing.ts';
import { loadWeights, weightsHash } from '../../../src/model/weights.ts';
import { scheduledRates } from '../../../src/train/loop.ts';
import { classified } from '../../toy.ts';

const rows = 103;
const batchSize = 20;
const epochs = 30;

export const token = 'a secret of this test';
export const loopback = { host: '127.0.0.1', port: 0 };

export function run(options: Partial<TrainOptions> = {}): TrainOptions {
  return {
    model: sequential([
      layers.batchNormalization(),
      layers.dense({ units: 70, activation: 'relu' }),
      layers.dropout({ rate: 0.2 }),
      layers.dense({ units: 3, activation: 'softmax' }),
    ]),
    data: { train: classified(rows, [64], 3) },
    loss: 'sparseCategoricalCrossentropy',
    optimizer: { type: 'adam', globalClipnorm: 0.5 },
    batchSize,
    epochs,
    seed: 5,
    kernels: 'wasm',
    shards: 8,
    workers: 1,
    ...options,
  };
}

/** What `train()` asks a crew for. */
async function sessionOf(options: TrainOptions): Promise<SessionOptions> {
  let session: SessionOptions | undefined;
  const openCrew = (asked: SessionOptions): Promise<Crew> => {
    session = asked;
    return Promise.reject(new Error('only asked'));
  };
  await train({ ...options, openCrew }).catch(() => {});
  return session!;
}

/** Opens the crew of the run with these options of the cluster. */
export async function coordinate(options: Pick<ServeOptions, 'onListening' | 'onNews'> & Partial<ServeOptions>, fault?: TrainOptions['fault']): Promise<Crew> {
  const always = { ...loopback, token, runId: 'the run', name: 'coordinator', workers: 1, minHosts: 3, topology: 'mesh', heartbeatTimeoutMs: 30_000 } as const;
  return await serve({ ...always, ...options })(await sessionOf(run({ workers: undefined, ...(fault && { fault }) })));
}

/** Trains to the end, from where the crew stands; the SHA-256 of the weights. */
export async function finish(crew: Crew): Promise<string> {
  const { station } = crew;
  const perEpoch = stepsPerEpoch(rows, batchSize, false);
  const { step } = readStanding(station.arena, station.plan);
  for (let epoch = Math.floor(step / perEpoch); epoch < epochs; epoch++) {
    const { updates, skippedInARow } = readStanding(station.arena, station.plan);
    await crew.train({ epoch, firstBatch: 0, batches: perEpoch, firstStep: epoch * perEpoch + 1, updates, skippedInARow, ...scheduledRates });
  }
  const sha = weightsHash(loadWeights(station.plan.topology, station.plan.weights, station.arena));
  await crew.end();
  return sha;
}

/** `node homecoming-run.js OPTIONS FAULT`, both JSON: says on its standard output what happens. */
if (process.argv[1] === import.meta.filename) {
  const [options, fault] = process.argv.slice(2, 4).map((text) => JSON.parse(text)) as [Partial<ServeOptions>, TrainOptions['fault']];
  const say = (sentence: string): void => console.log(sentence);
  const crew = await coordinate(
    { ...options, onNews: say, onListening: ({ port }) => say(`listens on ${port}`), onMembers: (names) => say(`members ${names.join(' ')}`) },
    fault,
  );
  say(`opened at step ${readStanding(crew.station.arena, crew.station.plan).step}`);
  say(`weights ${await finish(crew)}`);
}
