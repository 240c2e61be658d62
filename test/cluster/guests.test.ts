/** Room: tests of cluster. Hosts that call, over real connections: who is told of them, in what order, and what ends them. */
import test, { type ExecutionContext } from 'ava';
import { type Guest, Guests } from '../../cluster/guests.ts';
import type { MessageOf } from '../../cluster/wire/messages.ts';
import { dialed, envelope, openDoor, until } from './transport/sockets.ts';

const apply = (name: string, address = ':4000'): MessageOf<'apply'> => ({ ...envelope, type: 'apply', name, workers: 2, address, metrics: '' });
const ready: MessageOf<'ready'> = { ...envelope, type: 'ready' };

async function open(t: ExecutionContext) {
  let changes = 0;
  const told: string[] = [];
  const guests = new Guests(
    'coordinator',
    () => changes++,
    () => door.listener.close(),
  );
  const door = await openDoor(t, { onPeer: (link) => guests.welcome(link) });
  const take = () =>
    guests.take({
      onApplied: ({ id, name }) => told.push(`applied ${id} ${name}`),
      onMessage: ({ id }, { type }) => told.push(`${type} of ${id}`),
      onLost: ({ id }, reason) => told.push(`lost ${id}: ${reason.replace(/\d+\.\d+\.\d+\.\d+:\d+/, 'HOST')}`),
    });
  return { guests, door, told, take, changes: () => changes };
}

test('hosts that came before there was a listener are told of first; ids and names are never shared', async (t) => {
  const { guests, door, told, take, changes } = await open(t);
  const links = [];
  for (const [i, name] of ['a', 'b', 'a'].entries()) {
    const link = await dialed(t, door.url);
    link.send(apply(name, i === 1 ? 'example:7' : ':4000'));
    await until('a guest', () => guests.count === i + 1);
    links.push(link);
  }
  t.deepEqual(told, []);
  take();
  t.deepEqual(told, ['applied 1 a', 'applied 2 b', 'applied 3 a-2']);
  t.deepEqual(
    guests.all.map(({ address }) => address),
    ['127.0.0.1:4000', 'example:7', '127.0.0.1:4000'],
  );
  t.is(guests.workers, 6);
  t.is(changes(), 3);
  links[1]!.send(ready);
  await until('its message', () => told.length === 4);
  links[0]!.close();
  await until('its loss', () => told.length === 5);
  t.deepEqual(told.slice(3), ['ready of 2', 'lost 1: HOST closed the connection.']);
  t.is(guests.get(1), undefined);
  t.is(guests.workers, 4);
  t.is(changes(), 4);
  const again = await dialed(t, door.url);
  again.send(apply('a'));
  await until('a new guest', () => guests.count === 3);
  t.is(told.at(-1), 'applied 4 a');
});

test('who says anything before it applies is refused', async (t) => {
  const { guests, door } = await open(t);
  const link = await dialed(t, door.url);
  link.send({ ...envelope, type: 'heartbeat', ranks: [] });
  link.send(ready);
  await until('a refusal', () => link.closed);
  t.is(link.refusal?.message, 'Expected an application first, got `ready`.');
  t.is(guests.count, 0);
});

test('a host that is dismissed is not lost, and hears why', async (t) => {
  const { guests, door, told, take } = await open(t);
  take();
  const link = await dialed(t, door.url);
  link.send(apply('a'));
  await until('a guest', () => guests.count === 1);
  guests.dismiss(1, { reason: 'timeout', message: 'Too slow.' });
  guests.dismiss(7);
  await until('its end', () => link.closed);
  t.is(link.refusal?.message, 'Too slow.');
  t.deepEqual(told, ['applied 1 a']);
  const last = await dialed(t, door.url);
  last.send(apply('b'));
  await until('another', () => guests.count === 1);
  await guests.close();
  await until('the end of all', () => last.closed);
  t.deepEqual(told, ['applied 1 a', 'applied 2 b']);
});

test('heartbeats are signs of life, and of progress only when a rank has moved', async (t) => {
  const { guests, door, told, take } = await open(t);
  take();
  const link = await dialed(t, door.url);
  link.send(apply('a'));
  await until('a guest', () => guests.count === 1);
  const { signs }: Guest = guests.get(1)!;
  const beat = async (step: number): Promise<void> => {
    signs.heartbeatAt = 0;
    signs.progressAt = 0;
    link.send({ ...envelope, type: 'heartbeat', ranks: [{ step, phase: 1, layer: -1 }] });
    await until('a heartbeat', () => signs.heartbeatAt > 0);
  };
  await beat(1);
  t.true(signs.progressAt > 0);
  await beat(1);
  t.is(signs.progressAt, 0);
  await beat(2);
  t.true(signs.progressAt > 0);
  t.deepEqual(signs.ranks, [{ step: 2, phase: 1, layer: -1 }]);
  t.deepEqual(told, ['applied 1 a']);
});
