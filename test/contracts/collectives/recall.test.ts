/**
 * Room: tests of contracts. A host that is lost in the midst of a step: the others leave it, each with all its ranks; nobody has
 * a state but one between two steps; and those that are left end with the bits of a run that nothing happened to.
 */
import test from 'ava';
import fc from 'fast-check';
import { trace, within } from '../../toy.ts';
import { type Cluster, Hosts, type Seen } from './hosts.ts';
import { normalized, single, statesOf } from './recipes.ts';

const deadlineMs = 30_000;

const losses = fc.record({
  recipe: fc.constantFrom(normalized, single),
  topology: fc.constantFrom('star', 'mesh'),
  hosts: fc.constantFrom(
    { workers: [1, 1], bounds: [0, 3, 5] },
    { workers: [1, 2, 1], bounds: [0, 2, 3, 5] },
    { workers: [2, 1, 1], bounds: [0, 0, 3, 5] },
    { workers: [1, 1, 1], bounds: [0, 3, 3, 5] },
  ),
  carriers: fc.constantFrom(undefined, ['leader'], ['leader', 'main']),
  lost: fc.nat(),
  afterMessages: fc.integer({ min: 1, max: 30 }),
  seed: fc.nat(),
});

test.serial('a host is lost anywhere in a step', async (t) => {
  const alone = new Map(
    await Promise.all([normalized, single].map(async (recipe) => [recipe, { trace: await trace(recipe()), states: await statesOf(recipe()) }] as const)),
  );
  t.is(new Set(alone.get(normalized)!.states).size, 9);
  let recalls = 0;
  await fc.assert(
    fc.asyncProperty(losses, async ({ recipe, topology, hosts, carriers, lost, afterMessages, seed }) => {
      const loss = { host: 1 + (lost % (hosts.workers.length - 1)), afterMessages };
      const cluster = { topology, ...hosts, carriers, seed, loss } as Cluster;
      const told = `${recipe.name} among ${JSON.stringify(cluster)}`;
      const { trace: expected, states } = alone.get(recipe)!;
      let seen: Seen | undefined;
      const openCrew = Hosts.opener(cluster, (what) => {
        seen = what;
      });
      const among = await within(deadlineMs, `the end of ${told}`, trace(recipe({ openCrew })));
      t.deepEqual(among, expected, told);
      t.is(new Set(seen!.states).size, 1, told);
      t.is(seen!.generations, 2, told);
      t.is(seen!.recalled.length, hosts.workers.length, told);
      const coordinator = seen!.recalled[0]!.committed;
      for (const { obeyed, committed, state } of seen!.recalled) {
        t.is(state, states[committed] ?? 'none', `${told}: step ${committed} is committed whole`);
        t.true(Math.abs(committed - coordinator) <= 1, told);
        if (obeyed === 'recalled') recalls++;
      }
    }),
    { numRuns: 15, seed: 20_240_602, endOnFailure: true },
  );
  t.true(recalls > 15, `${recalls} hosts left a step`);
});
