/** Room: tests of telemetry. The live page in a real browser, fed with a run that never was. */
import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { Browser, Page } from 'playwright-core';
import { LiveFeed } from '../../src/telemetry/live-feed.ts';
import { chromiumAvailable, launchChromium } from './chromium.ts';
import { Clock, run, status, step } from './live-run.ts';
import { becomes, open, Synthetic, shows } from './open-page.ts';

const screenshots = join(tmpdir(), 'lockstep-live-page');
const because = chromiumAvailable.ok ? '' : `: ${chromiumAvailable.reason}`;
const inBrowser = chromiumAvailable.ok ? test.serial : test.serial.skip;

let browser: Browser;
test.before(async () => {
  mkdirSync(screenshots, { recursive: true });
  if (chromiumAvailable.ok) browser = await launchChromium();
});
test.after.always(() => browser?.close());

const drawings = (page: Page) => page.evaluate<string[]>(`[...document.querySelectorAll('.plot canvas')].map((canvas) => canvas.toDataURL())`);

test('whether there is a browser is known, with a reason if not', (t) => {
  if (chromiumAvailable.ok) t.pass();
  else t.regex(chromiumAvailable.reason, /^no Chromium at .+: apt-get install chromium$/);
});

inBrowser(`charts, figures, bars and tables move as the run goes on, without a complaint or a request elsewhere${because}`, async (t) => {
  const synthetic = new Synthetic();
  const { page, faults } = await open(t, browser, synthetic);
  await shows(page, '#run', 'mnist-bn');
  await shows(page, '#step', '0 of 4,690');
  t.notRegex((await page.locator('#about').textContent())!, /checkpoint/);
  t.is(await page.locator('.plot[data-note="Waiting for the first step"]').count(), 4);
  let before = await drawings(page);
  t.is(before.length, 4);
  for (const to of [1, 300, 1500, 3000]) {
    synthetic.train(to, { checkpointStep: to });
    await shows(page, '#step', `${to.toLocaleString('en-US')} of 4,690`);
    const now = await drawings(page);
    for (const [i, drawing] of now.entries()) t.not(drawing, before[i], `chart ${i} at step ${to}`);
    before = now;
  }
  t.is(await page.locator('.plot[data-note]').count(), 0);
  t.regex((await page.locator('#about').textContent())!, / · last checkpoint: step 3,000$/);
  t.is(await page.locator('#bars > li').count(), 4);
  t.deepEqual(await page.locator('#hosts tr').allInnerTexts(), [
    'alpha\tmember\t4\t4\titself\t–\t127.0.0.1:9464',
    'beta\tmember\t4\t3\t210 ms ago\t400 µs\t10.0.0.12:9464',
    'gamma\tpreparing\t2\t0\t480 ms ago\t1.10 ms\t–',
  ]);
  t.is(await page.locator('#progress').getAttribute('aria-valuenow'), '63');
  t.regex((await page.locator('#loss .plot').getAttribute('aria-label')) ?? '', /^Loss by step: 10 steps 0\.\d+, train 0\.\d+, validation 0\.\d+$/);
  t.deepEqual(faults, []);
});

for (const width of [1280, 390]) {
  for (const colorScheme of ['light', 'dark'] as const) {
    inBrowser(`at ${width} pixels and ${colorScheme} everything has its place${because}`, async (t) => {
      const synthetic = new Synthetic();
      synthetic.train(3200);
      const { page, faults } = await open(t, browser, synthetic, {
        viewport: { width, height: 844 },
        colorScheme,
        reducedMotion: 'reduce',
        deviceScaleFactor: width === 390 ? 2 : 1,
      });
      await shows(page, '#step', '3,200');
      t.is(await page.evaluate('document.documentElement.scrollWidth'), width);
      const widths = await page.evaluate<[number, number][]>(
        `[...document.querySelectorAll('.plot')].map((plot) => [plot.clientWidth, plot.firstElementChild.clientWidth])`,
      );
      for (const [place, chart] of widths) t.is(chart, place);
      t.is(await page.evaluate(`[...document.querySelectorAll('.scroll')].filter((place) => place.scrollWidth > place.clientWidth).length`), 0, 'no table is cut off');
      const ground = await page.evaluate<string>('getComputedStyle(document.documentElement).backgroundColor');
      t.is(ground, colorScheme === 'light' ? 'rgb(245, 246, 248)' : 'rgb(16, 19, 24)');
      await page.screenshot({ path: join(screenshots, `${width}-${colorScheme}.png`), fullPage: true });
      t.log(`a screenshot is in ${screenshots}`);
      t.deepEqual(faults, []);
    });
  }
}

inBrowser(`many ranks and hosts with long names find room${because}`, async (t) => {
  const synthetic = new Synthetic();
  const of = status(64);
  const ranks = Array.from({ length: 16 }, (_, rank) => ({ ...of.ranks[rank % 4]!, rank, layer: `residual_block_${rank}_batch_normalization` }));
  const hosts = Array.from({ length: 12 }, (_, i) => ({ ...of.hosts[i % 3]!, name: `gpu-node-${i}.eu-central.cluster.example.internal` }));
  for (const width of [1280, 390]) {
    const { page, faults } = await open(t, browser, synthetic, { viewport: { width, height: 844 } });
    synthetic.train(64, { ranks, hosts, state: 'recovering' });
    await becomes(page, `document.querySelectorAll('#bars > li').length === 16 && document.querySelectorAll('#hosts tr').length === 12`);
    t.is(await page.evaluate('document.documentElement.scrollWidth'), width);
    await page.screenshot({ path: join(screenshots, `${width}-many.png`), fullPage: true });
    t.deepEqual(faults, []);
  }
});

inBrowser(`charts take the room there is when the window changes${because}`, async (t) => {
  const synthetic = new Synthetic();
  synthetic.train(500);
  const { page, faults } = await open(t, browser, synthetic);
  await shows(page, '#step', '500');
  for (const width of [700, 390, 1400]) {
    await page.setViewportSize({ width, height: 800 });
    await becomes(page, `innerWidth === ${width} && [...document.querySelectorAll('.plot')].every((plot) => plot.firstElementChild.clientWidth === plot.clientWidth)`);
    t.is(await page.evaluate('document.documentElement.scrollWidth'), width);
  }
  t.deepEqual(faults, []);
});

inBrowser(`the pointer on one chart shows the numbers of its step on all, and the latest again when it leaves${because}`, async (t) => {
  const synthetic = new Synthetic();
  synthetic.train(300);
  const { page, faults } = await open(t, browser, synthetic);
  await shows(page, '#step', '300');
  const keys = () => page.locator('.key dd').allTextContents();
  const latest = await keys();
  await page.locator('#accuracy .u-over').hover();
  await shows(page, '#loss h2', 'Loss at step 15');
  const places = await page.locator('.charts h2 .quiet').allTextContents();
  t.is(places.length, 4);
  t.is(new Set(places).size, 1, 'all charts show the same step');
  for (const [i, value] of (await keys()).entries()) if (![2, 5, 8].includes(i)) t.not(value, latest[i], `number ${i}`);
  await page.mouse.move(5, 5);
  await becomes(page, `document.querySelector('#loss h2 .quiet').textContent === ''`);
  t.deepEqual(await keys(), latest);
  t.deepEqual(faults, []);
});

inBrowser(`a run that says nothing for some seconds is called silent, until it speaks again${because}`, async (t) => {
  const synthetic = new Synthetic();
  synthetic.train(100);
  const { page, faults } = await open(t, browser, synthetic, {}, (page) => page.clock.install());
  await shows(page, '#state', 'running');
  await page.clock.runFor(7000);
  await shows(page, '#state', 'silent');
  t.true(await page.locator('#notice').isVisible());
  synthetic.train(101);
  await page.clock.runFor(100);
  await shows(page, '#state', 'running');
  t.deepEqual(faults, []);
});

inBrowser(`a run that is gone is told, and the next one at its address replaces everything${because}`, async (t) => {
  const synthetic = new Synthetic();
  synthetic.train(900);
  const { page, restart } = await open(t, browser, synthetic);
  await shows(page, '#step', '900');
  t.true(await page.locator('#notice').isHidden());
  await restart();
  await shows(page, '#notice', 'Disconnected, trying again.');
  t.is(await page.locator('#state').textContent(), 'disconnected');
  await page.screenshot({ path: join(screenshots, 'disconnected.png') });
  const next = new Synthetic({ run: 'the-next', clipThreshold: 5 });
  next.train(20);
  await restart(next);
  await shows(page, '#run', 'the-next');
  await shows(page, '#step', '20 of');
  await becomes(page, `document.getElementById('notice').hidden`);
  t.is(await page.locator('#state').textContent(), 'running');
  t.is(await page.locator('#gradient .key dd').last().textContent(), '5.000');
});

inBrowser(`of a run that ended its end stays, also when nobody serves it any more${because}`, async (t) => {
  const synthetic = new Synthetic();
  const { page, restart } = await open(t, browser, synthetic);
  await shows(page, '#state', 'running');
  synthetic.train(4690, { state: 'done', etaSeconds: 0 });
  synthetic.feed.close();
  await shows(page, '#state', 'done');
  await restart();
  await shows(page, '#notice', 'The run is over (done)');
  t.is(await page.locator('#step').textContent(), '4,690 of 4,690 · 100.0 %');
});

inBrowser(`numbers that are not finite, names that look like HTML and absent parts are no trouble${because}`, async (t) => {
  const { clipThreshold: _, ...leading } = run;
  // Of a host that joined: it does not know how far the run is to go.
  const plain = { ...leading, targetSteps: 0, stepsPerEpoch: 0 };
  const host = { name: '<img src=x onerror=alert(1)>', state: 'member' as const, workers: 1, shards: 1, metricsAddress: '' };
  const hosts = [{ ...host, heartbeatAgeSeconds: undefined, rttSeconds: undefined }];
  const evaluating = { rank: 0, phases: {}, step: -1, phase: 'forward', layer: '' };
  const clock = new Clock();
  const feed = new LiveFeed({
    run: { ...plain, run: '<b>bold</b>' },
    status: () => status(3, { hosts, ranks: [evaluating], samplesPerSecond: Number.NaN }),
    every: clock.every,
  });
  feed.step(step(1, { metrics: {}, gradNorm: 0 }));
  feed.step(step(2, { metrics: {}, loss: Number.NaN, gradNorm: Number.POSITIVE_INFINITY, skipped: { phase: 'loss' } }));
  feed.step(step(3, { metrics: {} }));
  const { page, faults } = await open(t, browser, { feed, clock } as Synthetic);
  await shows(page, '#run', '<b>bold</b>');
  await shows(page, '#hosts', '<img src=x onerror=alert(1)>');
  t.is(await page.locator('#accuracy .plot').getAttribute('data-note'), 'This run has none');
  t.is(await page.locator('#rate').textContent(), '–');
  t.is(await page.locator('#step').textContent(), '3');
  t.is(await page.title(), 'running · <b>bold</b>');
  await shows(page, '#ranks', '0evaluation');
  t.deepEqual(faults, []);
});
