/** Room: tests of cluster. The gate: who waits looks again at every opening or nudge, and no earlier. */
import test from 'ava';
import { Gate } from '../../cluster/gate.ts';

test('those who wait look again when it opens, and when they are nudged', async (t) => {
  const gate = new Gate();
  const looks: string[] = [];
  const wait = async (name: string): Promise<void> => {
    while (!gate.isOpen) {
      await gate.change();
      looks.push(`${name} ${gate.isOpen}`);
    }
  };
  const waiting = [wait('a'), wait('b')];
  gate.nudge();
  await Promise.resolve();
  t.deepEqual(looks, ['a false', 'b false']);
  gate.open();
  await Promise.all(waiting);
  t.deepEqual(looks.slice(2), ['a true', 'b true']);
  await wait('c');
  t.is(looks.length, 4);
});

test('a gate that closed is waited at again', async (t) => {
  const gate = new Gate();
  t.false(gate.isOpen);
  gate.open();
  gate.close();
  t.false(gate.isOpen);
  const change = gate.change();
  gate.open();
  await change;
  t.true(gate.isOpen);
});
