/** Room: tests of telemetry. The files of the live page: those and no others, complete, and from nowhere else. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import fc from 'fast-check';
import { pageFile, pagePaths } from '../../src/telemetry/page-files.ts';

const text = (path: string): string => pageFile(path)!.body.toString('utf8');

test('every path has its file and type', (t) => {
  t.deepEqual(Object.fromEntries(pagePaths.map((path) => [path, pageFile(path)!.type])), {
    '/': 'text/html; charset=utf-8',
    '/page.js': 'text/javascript; charset=utf-8',
    '/charts.js': 'text/javascript; charset=utf-8',
    '/series.js': 'text/javascript; charset=utf-8',
    '/cluster.js': 'text/javascript; charset=utf-8',
    '/page.css': 'text/css; charset=utf-8',
    '/panels.css': 'text/css; charset=utf-8',
    '/theme.css': 'text/css; charset=utf-8',
    '/icon.svg': 'image/svg+xml',
    '/uplot.js': 'text/javascript; charset=utf-8',
    '/uplot.css': 'text/css; charset=utf-8',
  });
  t.regex(text('/'), /^<!doctype html>/);
  t.regex(text('/uplot.js'), /export \{ uPlot as default \}/);
  t.regex(text('/uplot.css'), /\.uplot/);
});

test('a file is read once', (t) => {
  t.is(pageFile('/page.js'), pageFile('/page.js'));
});

test('other paths have none, however they are written', (t) => {
  const tricks = ['', '/index.html', '//', '/./page.js', '/../page.js', '/page/../page.js', '/..%2fpage-files.js', '/page.js/', '/page.js?x', 'page.js', '/__proto__'];
  const more = ['/constructor', '/page/page.js', '/page-files.js', '/../../../../package.json', '/etc/passwd', 'C:\\page.js', '/page.js\0', '/PAGE.JS'];
  for (const path of [...tricks, ...more]) t.is(pageFile(path), undefined, path);
  fc.assert(fc.property(fc.webPath(), (path) => pagePaths.includes(path) || pageFile(path) === undefined));
});

test('what a file of the page names is served, and none names an address outside', (t) => {
  const own = pagePaths.filter((path) => !path.startsWith('/uplot'));
  const named = own.flatMap((path) => [...text(path).matchAll(/(?:from '\.|(?:src|href)=")\/?([\w.-]+\.(?:js|css|svg))['"]/g)].map((match) => `/${match[1]}`));
  t.deepEqual([...new Set([...named, '/'])].toSorted(), pagePaths.toSorted());
  for (const path of own)
    t.deepEqual([...text(path).matchAll(/(?:https?:)?\/\/[a-z][\w.]+\.\w+[^\s"']*/g)].map(String), path === '/icon.svg' ? ['http://www.w3.org/2000/svg'] : [], path);
});

test('the files are those of the sources', (t) => {
  const sources = fileURLToPath(new URL('../../../src/telemetry/page/', import.meta.url));
  for (const path of pagePaths.filter((path) => !path.startsWith('/uplot')))
    t.deepEqual(pageFile(path)!.body, readFileSync(`${sources}${path === '/' ? 'index.html' : path.slice(1)}`), path);
});
