/** Room: tests of telemetry. The live page, opened in a browser on a run that the test leads, and ways to wait for what it shows. */
import type { ExecutionContext } from 'ava';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import type { LiveRun, LiveStatus } from '../../src/telemetry/live.ts';
import { LiveFeed } from '../../src/telemetry/live-feed.ts';
import { faultsOf } from './chromium.ts';
import { Clock, closeServer, run, serve, status, step } from './live-run.ts';

const deadlineMs = 20_000;

/** A run of which the test decides when it takes steps and when it tells of them. */
export class Synthetic {
  readonly clock = new Clock();
  readonly feed: LiveFeed;
  #changes: Partial<LiveStatus> = {};
  #step = 0;

  constructor(changes: Partial<LiveRun> = {}) {
    this.feed = new LiveFeed({ run: { ...run, ...changes }, status: () => status(this.#step, this.#changes), every: this.clock.every });
  }

  /** Takes steps up to `to`, with evaluations, and tells of them. */
  train(to: number, changes: Partial<LiveStatus> = {}): void {
    this.#changes = changes;
    while (this.#step < to) {
      this.#step++;
      const event = step(this.#step);
      this.feed.step(event);
      if (this.#step % run.stepsPerEpoch === 0) {
        const validation = { loss: event.loss * 1.12 + 0.01, metrics: { accuracy: event.metrics['accuracy']! - 0.012 } };
        this.feed.epoch({ event: 'epoch', epoch: event.epoch, loss: event.loss, metrics: event.metrics, validation });
      }
    }
    this.clock.tick(2);
  }
}

interface Opened {
  readonly page: Page;
  readonly faults: string[];
  readonly port: number;
  /** Ends the server; with a run, goes on with it at the same address. */
  restart(next?: Synthetic): Promise<void>;
}

export async function open(
  t: ExecutionContext,
  browser: Browser,
  first: Synthetic,
  options: BrowserContextOptions = {},
  prepare: (page: Page) => Promise<void> = async () => {},
): Promise<Opened> {
  let current = first;
  let { server, port } = await serve(() => current.feed);
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  context.setDefaultTimeout(deadlineMs);
  t.teardown(async () => {
    await context.close();
    await closeServer(server);
  });
  const page = await context.newPage();
  const faults = faultsOf(page, `http://127.0.0.1:${port}`);
  const restart = async (next?: Synthetic): Promise<void> => {
    await closeServer(server);
    if (!next) return;
    current = next;
    ({ server } = await serve(() => current.feed, port));
  };
  await prepare(page);
  await page.goto(`http://127.0.0.1:${port}/`);
  return { page, faults, port, restart };
}

/** Waits, frame by frame, until it is true on the page. Playwright's own way needs eval, which the page rightly forbids. */
export async function becomes(page: Page, condition: string): Promise<void> {
  const waiting = `new Promise((resolve) => {
    const until = performance.now() + ${deadlineMs};
    const look = () => (${condition} ? resolve(true) : performance.now() > until ? resolve(false) : requestAnimationFrame(look));
    look();
  })`;
  if (!(await page.evaluate<boolean>(waiting))) throw new Error(`Expected within ${deadlineMs} ms on the page: ${condition}; it shows ${await page.textContent('main')}`);
}

/** Waits until the text of an element begins with `text`. */
export const shows = (page: Page, selector: string, text: string) =>
  becomes(page, `document.querySelector(${JSON.stringify(selector)}).textContent.trim().startsWith(${JSON.stringify(text)})`);
