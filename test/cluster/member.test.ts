/** Room: tests of cluster. What becomes of a generation's ways when its part of the run does not begin. */
import test from 'ava';
import { Member } from '../../cluster/member.ts';
import type { Generation, Ways } from '../../cluster/step-links.ts';
import type { Station } from '../../src/local/station.ts';

const generation: Generation = { generation: 1, members: [{ id: 0, name: 'alone', workers: 1, address: '', first: 0, end: 1 }], self: 0, topology: 'mesh' };

/** Ways that know how often they were closed. */
function countedWays(): { readonly ways: Ways; readonly closed: () => number } {
  let closed = 0;
  return { ways: { steps: undefined, links: new Map(), close: () => closed++ }, closed: () => closed };
}

function memberThat(change: () => Promise<void>): Member {
  const team = { recall: () => {}, end: async () => {} };
  const station = { plan: { traffic: 0, standing: 0 }, arena: { i32: new Int32Array(4) }, change, team };
  return new Member(station as unknown as Station, () => {});
}

test('the ways of a generation are closed with the next one, and at the end', async (t) => {
  const member = memberThat(async () => {});
  const [first, second] = [countedWays(), countedWays()];
  await member.enter(generation, first.ways);
  t.is(first.closed(), 0);
  await member.enter(generation, second.ways);
  t.deepEqual([first.closed(), second.closed()], [1, 0]);
  await member.end();
  t.deepEqual([first.closed(), second.closed()], [1, 1]);
});

test('they are closed when the part cannot begin', async (t) => {
  const { ways, closed } = countedWays();
  await t.throwsAsync(memberThat(() => Promise.reject(new Error('no memory'))).enter(generation, ways), { message: 'no memory' });
  t.is(closed(), 1);
});

test('they are closed when the member has ended, before its part begins or meanwhile', async (t) => {
  let begin!: () => void;
  let changes = 0;
  const member = memberThat(() => {
    changes++;
    return new Promise((resolve) => {
      begin = resolve;
    });
  });
  const [meanwhile, after] = [countedWays(), countedWays()];
  const entered = member.enter(generation, meanwhile.ways);
  await member.end();
  begin();
  await entered;
  const late = member.enter(generation, after.ways);
  begin();
  await late;
  t.deepEqual([meanwhile.closed(), after.closed(), changes], [1, 1, 1]);
});
