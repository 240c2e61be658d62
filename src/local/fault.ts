/**
 * Room: local (level 6). Ranks that fail on purpose, at a place of a step that can be named: how tests and `npm run chaos` see that
 * nothing is lost. Nothing of it runs unless it was asked for.
 */
import { readSync } from 'node:fs';
import { phaseIndex } from '../telemetry/timing.ts';
import type { Rank } from '../train/rank.ts';
import type { RankFault } from './task.ts';

/** The rank with a place at which it fails. */
export function failing(rank: Rank, fault: RankFault): Rank {
  const { operations } = rank.runtime.own;
  const { clock, updating } = rank;
  const isAt = (): boolean => rank.runtime.context.batch.step === fault.step;
  const enter = clock.enter.bind(clock);
  const leave = updating.leave.bind(updating);
  if (fault.phase === 'optimizer') {
    // The first block is updated, the others are not.
    updating.leave = (unit) => {
      leave(unit);
      if (unit === 0 && isAt()) fail(fault);
    };
  } else if (fault.phase !== undefined) {
    const awaited = phaseIndex[fault.phase];
    clock.enter = (phase) => {
      const before = enter(phase);
      if (phase === awaited && isAt()) fail(fault);
      return before;
    };
  }
  const markLayer = (index: number): void => {
    rank.markLayer(index);
    if (isAt() && operations[index]!.layer === fault.layer) fail(fault);
  };
  return { ...rank, markLayer };
}

function fail({ kind }: RankFault): never {
  if (kind === 'throw') throw new Error('a fault was asked for here');
  if (kind === 'exit') process.exit(3);
  if (kind === 'memory') {
    const kept: number[][] = [];
    for (;;) kept.push(Array.from({ length: 100_000 }, (_, i) => i + 0.5));
  }
  // For as long as nobody writes there.
  if (kind === 'block') readSync(0, new Uint8Array(1));
  // The signal may take a moment, in which nothing more is done.
  if (kind === 'kill') process.kill(process.pid, 'SIGKILL');
  for (;;);
}
