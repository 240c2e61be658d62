/**
 * Room: tests of scripts. The live page of a real run in a real browser: curves grow while it trains, and its end stays on the screen.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { until } from '../cluster/integration/party.ts';
import { chromiumAvailable, faultsOf, launchChromium } from '../telemetry/chromium.ts';
import { packageRoot, program, start } from './command.ts';

const because = chromiumAvailable.ok ? '' : `: ${chromiumAvailable.reason}`;
const inBrowser = chromiumAvailable.ok ? test.serial : test.serial.skip;
const deadlineMs = 60_000;

inBrowser(`curves of a run grow in a browser${because}`, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-live-'));
  const browser = await launchChromium();
  t.teardown(async () => {
    await browser.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const flags = ['--epochs', '1000', '--steps', '4000', '--metrics', '127.0.0.1:0', '--linger', '60s'];
  const running = start(process.execPath, [program, 'train', join(packageRoot, 'examples', 'mnist-bn.json'), ...flags]);
  t.teardown(() => running.child.kill('SIGKILL'));
  let said = '';
  running.child.stdout!.on('data', (text: string) => {
    said += text;
  });
  await running.says('live page and metrics at http://127.0.0.1:');
  const [url] = /http:\/\/127\.0\.0\.1:\d+\//.exec(said)!;
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  page.setDefaultTimeout(deadlineMs);
  const faults = faultsOf(page, url.replace(/\/$/, ''));
  await page.goto(url);
  /** The step that the page shows, as an expression of the page. */
  const step = `Number(document.querySelector('#step')?.textContent.replace(/ of .*/, '').replaceAll(',', ''))`;
  const drawing = (): Promise<string> => page.evaluate<string>(`document.querySelector('#loss canvas').toDataURL()`);
  await until('the first steps', async () => (await page.evaluate<number>(step)) > 20);
  const before = await page.evaluate<number>(step);
  const drawn = await drawing();
  await until('more steps', async () => (await page.evaluate<number>(step)) > before + 100);
  t.not(await drawing(), drawn, 'the curve of the loss has grown');
  await running.says('the page and the metrics stay for 60 s');
  await until('the end', async () => await page.evaluate<boolean>(`${step} === 4000 && /done/.test(document.body.innerText)`));
  t.deepEqual(faults, []);
  running.child.kill('SIGINT');
  const { code } = await running.end;
  t.is(code, 0);
});
