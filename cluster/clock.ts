/**
 * Room: cluster (level 7). The time by which hosts are judged: milliseconds since 1970, read once when the process begins and counted steadily from then
 * on. Whoever sets the system's clock makes nobody silent.
 */
export function steadyNow(): number {
  return performance.timeOrigin + performance.now();
}
