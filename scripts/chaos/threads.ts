/**
 * Room: scripts (level 8). What the threads of a process are doing that does not go on: which of them compute, and what the others wait for in the system.
 * Where there is no /proc, nothing is known.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

interface Thread {
  readonly id: string;
  readonly name: string;
  /** One letter: R computes, S waits, T is stopped. */
  readonly state: string;
  /** Of the processor, in ticks of the system. */
  readonly ticks: number;
  /** The number of the system call that it waits in, or `running`. */
  readonly call: string;
}

/** Between two looks. */
const apartMs = 1000;

/** A line for each thread, the main one first. */
export async function threadsOf(pid: number): Promise<string[]> {
  const before = new Map(look(pid).map(({ id, ticks }) => [id, ticks]));
  await pause(apartMs);
  return look(pid).map(
    ({ id, name, state, ticks, call }) => `thread ${id} (${name}): state ${state}, system call ${call}, ${ticks - (before.get(id) ?? 0)} ticks in a second`,
  );
}

function look(pid: number): Thread[] {
  const folder = join('/proc', String(pid), 'task');
  try {
    return readdirSync(folder).map((id) => {
      const stat = read(join(folder, id, 'stat'));
      // The name stands in parentheses and may hold anything.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const name = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
      return {
        id,
        name,
        state: fields[0] ?? '?',
        ticks: Number(fields[11]) + Number(fields[12]),
        call:
          read(join(folder, id, 'syscall'))
            .split(' ')[0]!
            .trim() || '?',
      };
    });
  } catch {
    return [];
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
