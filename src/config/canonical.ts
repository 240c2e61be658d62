/**
 * Room: config (level 1). Hashes of plain data: the same value gives the same text, whatever the order of its keys, and so
 * the same SHA-256 on every host.
 */
import { createHash } from 'node:crypto';

/** JSON with the keys of every object sorted; fields that are undefined are left out, as JSON leaves them out. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) => (isRecord(item) ? sorted(item) : item));
}

/** SHA-256, in hex, of the canonical JSON of `value`. */
export function hashOf(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A copy with its keys in order. `Object.fromEntries` defines them, so `__proto__` is a key like any other. */
function sorted(record: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}
