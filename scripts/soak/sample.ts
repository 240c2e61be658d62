/**
 * Room: scripts (level 8). What a process holds at a moment, as Linux tells it, and how many series its metrics have.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export interface Sample {
  /** MiB that are in memory. */
  readonly rss: number;
  readonly threads: number;
  /** Open files that are no sockets. */
  readonly files: number;
  readonly sockets: number;
  readonly series: number;
}

export type Kind = keyof Sample;
export const kinds: readonly Kind[] = ['rss', 'threads', 'files', 'sockets', 'series'];

/** Of the process `pid`, whose metrics are at `port`. Rejects when it is not there. */
export async function sample(pid: number, port: number): Promise<Sample> {
  // Before the connection of the scrape, which would count.
  const links = readdirSync(`/proc/${pid}/fd`).map((fd) => linkOf(`/proc/${pid}/fd/${fd}`));
  const sockets = links.filter((link) => link.startsWith('socket:')).length;
  const rss = Number(/^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024;
  const threads = readdirSync(`/proc/${pid}/task`).length;
  const response = await fetch(`http://127.0.0.1:${port}/metrics`, { headers: { connection: 'close' } });
  const lines = (await response.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return { rss, threads, files: links.length - sockets, sockets, series: lines.length };
}

/** Empty for one that was closed meanwhile. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
