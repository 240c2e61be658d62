/** Room: tests of telemetry. Debian's Chromium without a window, where it is installed, and what went wrong on a page. */
import { existsSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';

const executablePath = '/usr/bin/chromium';

export const chromiumAvailable: { readonly ok: true } | { readonly ok: false; readonly reason: string } = existsSync(executablePath)
  ? { ok: true }
  : { ok: false, reason: `no Chromium at ${executablePath}: apt-get install chromium` };

export function launchChromium(): Promise<Browser> {
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'] });
}

/** Errors and warnings of the page, requests that failed, and requests to others than `origin`; it grows as they come. */
export function faultsOf(page: Page, origin: string): string[] {
  const faults: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') faults.push(`${message.type()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => faults.push(`not caught: ${error.message}`));
  page.on('requestfailed', (request) => faults.push(`failed: ${request.url()}`));
  page.on('response', (response) => {
    if (response.status() >= 400) faults.push(`${response.status()}: ${response.url()}`);
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(`${origin}/`)) faults.push(`outside: ${request.url()}`);
  });
  return faults;
}
