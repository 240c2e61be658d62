/**
 * Room: tests of the cluster, integration. What the command line says to whoever coordinates or joins: secrets, addresses, and how
 * the waiting for hosts ends.
 */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { lockstep, program, start } from '../../scripts/command.ts';
import { deadlineMs, freePort, party, recipe } from './party.ts';

const run = recipe();

/** A wrong use: exit code 2 and one sentence. */
for (const [title, args, sentence] of [
  [
    'listening beyond this machine without a token',
    ['train', run.config, '--listen', '0.0.0.0:0'],
    /^lockstep: Expected `--token-file` with `--listen` beyond this machine, got 0\.0\.0\.0 without one; give a file for the secret, or say --insecure\.\n$/,
  ],
  [
    'accepting links from beyond this machine without a token',
    ['join', 'ws://127.0.0.1:7070', '--mesh-listen', '0.0.0.0:0'],
    /^lockstep: Expected `--token-file` with `--mesh-listen` beyond this machine, got 0\.0\.0\.0 without one; /,
  ],
  [
    'no workers and nobody who could join',
    ['train', run.config, '--workers', '0'],
    /^lockstep: Expected `--workers` to be an integer >= 1, got `0`; only a coordinator \(--listen\) may have none\.\n$/,
  ],
  [
    'an address without a port',
    ['train', run.config, '--listen', 'localhost'],
    /^lockstep: .*'localhost' is invalid\. Expected HOST:PORT, such as 0\.0\.0\.0:7070; see .*\n$/,
  ],
  ['a port that is none', ['train', run.config, '--listen', '127.0.0.1:70000'], /^lockstep: .*Expected HOST:PORT, .*\n$/],
  [
    'a URL of the web',
    ['join', 'http://127.0.0.1:7070'],
    /^lockstep: Expected a URL like ws:\/\/HOST:PORT or wss:\/\/HOST:PORT, got .*; write ws:\/\/ in place of http\.\n$/,
  ],
  ['a host without workers', ['join', 'ws://127.0.0.1:7070', '--workers', '0'], /^lockstep: .*\n$/],
  [
    'a token file that is not there',
    ['join', 'ws://127.0.0.1:7070', '--token-file', join(run.folder, 'none')],
    /^lockstep: .*copy it from the machine that coordinates\.\n$/,
  ],
  [
    'a certificate without a key',
    ['train', run.config, '--listen', '127.0.0.1:0', '--tls-cert', run.token],
    /^lockstep: Expected `--tls-cert` and `--tls-key` together, got only --tls-cert; /,
  ],
] as const) {
  test(`${title} is refused`, async (t) => {
    const { code, stderr } = await lockstep(...args);
    t.regex(stderr, sentence);
    t.is(code, 2);
  });
}

test('a token that is too short is refused', async (t) => {
  const short = join(run.folder, 'short');
  writeFileSync(short, 'abc\n');
  const { code, stderr } = await lockstep('train', run.config, '--listen', '127.0.0.1:0', '--token-file', short);
  t.regex(stderr, /^lockstep: Expected `--token-file` to hold a secret of at least 8 characters, got 3 in /);
  t.is(code, 2);
});

test('--insecure allows to listen beyond this machine without a token', async (t) => {
  const { code, stdout, stderr } = await lockstep('train', run.config, '--listen', '0.0.0.0:0', '--insecure', '--workers', '1', '--steps', '3');
  t.is(stderr, '');
  t.is(code, 0);
  t.regex(stdout, /^other machines join with: lockstep join ws:\/\/\S+:\d+\n/);
});

test('a token file that is missing is made, for its owner alone', async (t) => {
  const token = join(run.folder, 'made');
  const { code, stdout } = await lockstep('train', run.config, '--listen', '127.0.0.1:0', '--token-file', token, '--workers', '1', '--steps', '3');
  t.is(code, 0);
  t.true(stdout.startsWith(`made a new token: copy ${token} to the machines that join\n`));
  t.is(statSync(token).mode & 0o777, 0o600);
  t.regex(readFileSync(token, 'utf8'), /^[0-9a-f]{64}\n$/);
});

test('Ctrl-C ends a coordinator that waits for hosts', async (t) => {
  const waits = await party(t, run, { workers: 0, steps: 10 });
  await waits.coordinator.says(/kernels wasm/, deadlineMs);
  waits.coordinator.child.kill('SIGINT');
  t.regex(await waits.coordinator.succeeds(deadlineMs), /stopping after this step.*interrupted: 0 steps in/s);
});

test('Ctrl-C ends a host that finds no coordinator', async (t) => {
  const url = `ws://127.0.0.1:${await freePort()}`;
  const host = start(process.execPath, [program, 'join', url, '--workers', '1']);
  await host.says('trying again in');
  host.child.kill('SIGINT');
  const { code, stdout } = await host.end;
  t.true(stdout.startsWith(`Expected a host of Lockstep to answer at ${url}, got connect ECONNREFUSED`));
  t.regex(stdout, /Gave up before it took part\.\n$/);
  t.is(code, 0);
});
