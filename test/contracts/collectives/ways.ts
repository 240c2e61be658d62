/**
 * Room: tests of contracts. Ways between the hosts inside one process: lines with dice for the main threads, or the real thing: listeners on
 * loopback, and connections that leaders carry on, or the main thread.
 */

import { randomInt } from 'node:crypto';
import { createRequire } from 'node:module';
import { type Generation, type StepLink, StepLinks, type Ways } from '../../../cluster/step-links.ts';
import { type Listener, listen } from '../../../cluster/transport/listen.ts';
import { type Dice, Line } from './lines.ts';

/** What connects hosts with the ids 0, 1, ... */
export interface Wiring {
  readonly openWays: (id: number, generation: Generation) => Promise<Ways>;
  /** All that `id` is connected by breaks. */
  readonly cut: (id: number) => void;
  readonly close: () => Promise<void>;
}

/** Between all of `hosts`; `onMessage` is called for each message, before it is delivered, `fail` for what goes wrong. */
export function linesBetween(dice: Dice, onMessage: () => void, fail: (error: unknown) => void): Wiring {
  const lines = new Map<string, Line>();
  const lineFor = (generation: number, from: number, to: number): Line => {
    const key = `${generation}:${from}>${to}`;
    if (!lines.has(key)) lines.set(key, new Line(dice, onMessage, fail));
    return lines.get(key)!;
  };
  const cut = (ends: (from: number, to: number) => boolean): void => {
    for (const [key, line] of lines) {
      const [, from, to] = /:(\d+)>(\d+)/.exec(key)!;
      if (ends(Number(from), Number(to))) line.cut();
    }
  };
  return {
    openWays: async (id, { generation, members, self, topology }) => {
      const others = members
        .map((member, index) => ({ id: member.id, index }))
        .filter(({ index }) => index !== self && (topology === 'mesh' || index === 0 || self === 0));
      const links = new Map(
        others.map(({ id: other, index }): [number, StepLink] => {
          const out = lineFor(generation, id, other);
          const back = lineFor(generation, other, id);
          return [index, { ...out.sender, onMessage: (handler) => back.deliverTo(handler!), onClose: () => {}, close: () => {} }];
        }),
      );
      return { steps: undefined, links, close: () => {} };
    },
    cut: (id) => cut((from, to) => from === id || to === id),
    close: async () => cut(() => true),
  };
}

/** Connections on loopback; `carriers` says of each host who carries. */
export async function socketsBetween(carriers: readonly ('leader' | 'main')[]): Promise<Wiring> {
  const token = String(randomInt(2 ** 40));
  const listeners: Listener[] = [];
  const stepLinks: StepLinks[] = [];
  for (const carrier of carriers) {
    const id = stepLinks.length;
    const links = new StepLinks({
      token,
      ...(id > 0 && { coordinatorUrl: `ws://127.0.0.1:${listeners[0]!.port}` }),
      ...(carrier === 'main' && { carriedByMain: 'the test wants it' }),
      onNews: () => {},
    });
    stepLinks.push(links);
    listeners.push(await listen({ host: '127.0.0.1', port: 0, token, onPeer: (link, peer) => links.adopt(link, peer), onRefused: () => {} }));
  }
  const opened: { readonly id: number; readonly ways: Ways }[] = [];
  return {
    openWays: async (id, generation) => {
      const members = generation.members.map((member) => ({ ...member, address: `127.0.0.1:${listeners[member.id]!.port}` }));
      const ways = await stepLinks[id]!.connect({ ...generation, members });
      if ('lost' in ways) throw new Error(`Expected host ${id} to reach host ${ways.lost}.`);
      opened.push({ id, ways });
      return ways;
    },
    cut: (id) => {
      for (const { ways } of opened.filter((other) => other.id === id)) {
        for (const { descriptor } of ways.steps?.sockets ?? []) shutDown(descriptor);
        for (const link of ways.links.values()) link.close();
      }
    },
    close: async () => {
      for (const links of stepLinks) links.close();
      await Promise.all(listeners.map((listener) => listener.close()));
    },
  };
}

/** Both directions end, as far as the other side sees; the descriptor stays. */
function shutDown(descriptor: number): void {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  koffi.load(null).func('int shutdown(int, int)')(descriptor, 2);
}
