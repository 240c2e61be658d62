/**
 * Room: scripts (level 8). What it costs to be watched: the same run with and without metrics, scraped once a second, and a scrape of many ranks.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setInterval as every } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { RunEvent } from '../../src/telemetry/events.ts';
import { follow } from './cluster.ts';
import { inFolder, typical, writeConfig } from './run.ts';
import { type Figure, median } from './stats.ts';

const lockstep = fileURLToPath(new URL('../lockstep.js', import.meta.url));
const deadlineMs = 120_000;

interface Watched {
  /** Seconds of a typical step, and of each scrape. */
  readonly step: number;
  readonly scrapes: readonly number[];
}

/** One run of so many steps and workers; with `watched` it is scraped once a second. */
async function runOnce(config: string, folder: string, steps: number, workers: number, watched: boolean): Promise<Watched> {
  const log = join(folder, 'log.jsonl');
  const flags = ['--steps', String(steps), '--workers', String(workers), '--shards', String(workers), '--log', log];
  const child: ChildProcess = spawn(process.execPath, [lockstep, 'train', config, ...flags, '--metrics', watched ? '127.0.0.1:0' : 'off'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const program = follow('the run', child);
  const scrapes: number[] = [];
  try {
    const done = program.succeeds(deadlineMs);
    if (watched) {
      const [, url] = await program.says(/metrics at (http:\S+)/, deadlineMs);
      const over = new AbortController();
      void done.catch(() => {}).then(() => over.abort());
      await scrapeUntil(`${url}metrics`, over.signal, scrapes);
    }
    await done;
    const events = readFileSync(log, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as RunEvent);
    return { step: typical(events.flatMap((event) => (event.event === 'step' ? [event.seconds] : []))), scrapes };
  } finally {
    child.kill('SIGKILL');
  }
}

async function scrapeUntil(url: string, signal: AbortSignal, scrapes: number[]): Promise<void> {
  try {
    for await (const _ of every(1000, undefined, { signal })) {
      const began = performance.now();
      await (await fetch(url, { signal })).text();
      scrapes.push((performance.now() - began) / 1000);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** Being watched against not, pair by pair; then a scrape of 16 ranks. */
export async function watching(pairs = 9): Promise<Figure[]> {
  return await inFolder(async (folder) => {
    const config = writeConfig(folder, { batchSize: 256 });
    const [without, within]: [number[], number[]] = [[], []];
    for (let pair = 0; pair < pairs; pair++) {
      without.push((await runOnce(config, folder, 1500, 2, false)).step);
      within.push((await runOnce(config, folder, 1500, 2, true)).step);
    }
    const crowd = await runOnce(config, folder, 1000, 16, true);
    const ratio = median(within.map((seconds, i) => seconds / without[i]!));
    return [
      { name: 'a step of 2 ranks at batch 256, metrics off', value: median(without) * 1000, unit: 'ms' },
      { name: 'a step of 2 ranks at batch 256, scraped every second', value: median(within) * 1000, unit: 'ms' },
      { name: 'what being watched costs', value: 100 * (ratio - 1), unit: '%', goal: { atMost: 2 } },
      { name: 'a scrape of 16 ranks on 2 cores at work', value: median(crowd.scrapes) * 1000, unit: 'ms', goal: { atMost: 15 } },
    ];
  });
}
