/**
 * Room: tests of the cluster, wire. docs/protocol.md is what the schemas say.
 */
import { readFileSync } from 'node:fs';
import test from 'ava';
import { protocolDocument } from '../../../cluster/wire/document.ts';
import { messageKinds } from '../../../cluster/wire/messages.ts';

test('docs/protocol.md is up to date: npm run protocol', (t) => {
  t.is(readFileSync(new URL('../../../../docs/protocol.md', import.meta.url), 'utf8'), protocolDocument());
});

test('every message has its place in the handshake or in the life of a host', (t) => {
  const [prose, tables] = protocolDocument().split('## Messages\n');
  for (const type of messageKinds.keys()) {
    t.true(prose!.includes(`\`${type}\``), type);
    t.true(tables!.includes(`\n### ${type}\n`), type);
  }
});

test('fields are told with their limits', (t) => {
  const rows = protocolDocument()
    .split('\n')
    .map((line) => line.replaceAll(/ +/g, ' '));
  for (const row of [
    '| `rowSeconds` | a number from 0 to 1e9 |',
    '| `members` | a list of 1 to 1024 items, each [member](#member) |',
    '| `validation` | [dataSet](#dataset); may be missing |',
    '| `topology` | `star` or `mesh` |',
    '| `bytes` | an integer >= 0 |',
  ])
    t.true(rows.includes(row), row);
});
