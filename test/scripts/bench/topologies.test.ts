/** Room: tests of scripts. The measure of topologies with a stand-in for training: hosts, doors, counters, figures. */
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { namespacesAvailable } from '../../../scripts/bench/namespaces.ts';
import { farthest, meshBytes, topologies } from '../../../scripts/bench/topologies.ts';

const lockstep = fileURLToPath(new URL('./fake-lockstep.js', import.meta.url));
const available = namespacesAvailable();

test('a host of a mesh sends 2P(H-1)/H floats', (t) => {
  t.is(meshBytes(1000, 2), 4000);
  t.is(meshBytes(1000, 4), 6000);
  t.is(meshBytes(1000, 1), 0);
  t.is(farthest([95, 103, 100], 100), 5);
  t.is(farthest([100, Number.NaN], 100), Number.NaN, 'a host that did not say');
});

(available.ok ? test : test.skip)(`four hosts in namespaces train through doors${available.ok ? '' : `: ${available.reason}`}`, async (t) => {
  const figures = await topologies({ pairs: 1, parameters: 66, lockstep });
  const values = Object.fromEntries(figures.map(({ name, value }) => [name, value]));
  t.is(values['a step over 4 hosts, 100 Mbit/s, 5 ms, star'], 30.5);
  t.is(values['star against mesh'], 1);
  t.is(values['mesh: gradients a host sends each step, by formula'], 396 / 1e6);
  // The coordinator sent 400 bytes a step; the others do not know how many steps there were and said 1200 in all.
  t.true(values['mesh: the host farthest from the formula']! > 90);
  t.true('mesh: most that leaves an interface each step' in values);
});
