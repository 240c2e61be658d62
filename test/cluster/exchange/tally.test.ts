/** Room: tests of cluster. Counting what comes from several hosts, in any order. */
import test from 'ava';
import fc from 'fast-check';
import { Tally } from '../../../cluster/exchange/tally.ts';

test('something is complete once every host has sent its part, and one may be ahead', (t) => {
  const tally = new Tally([1, 4]);
  t.deepEqual(
    [1, 4, 4, 1, 1, 1, 4, 4].map((host) => tally.add(host)),
    [false, true, false, true, false, false, true, true],
  );
});

test('as many are complete as the slowest host has sent parts, and hosts that are not awaited count for nothing', (t) => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(5), { minLength: 1 }), fc.array(fc.nat(7)), (hosts, order) => {
      const tally = new Tally(hosts);
      const complete = order.filter((host) => tally.add(host)).length;
      t.is(complete, Math.min(...hosts.map((host) => order.filter((other) => other === host).length)));
    }),
  );
});

test('a tally of nobody is empty, and nothing completes it', (t) => {
  const tally = new Tally([]);
  t.true(tally.isEmpty);
  t.false(tally.add(0));
  t.false(new Tally([0]).isEmpty);
  t.deepEqual(
    [0, 1].map((host) => new Tally([1]).awaits(host)),
    [false, true],
  );
});
