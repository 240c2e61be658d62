/**
 * Room: cluster (level 7). Whether a host computes what the run computes: the same rule on both sides, of which either may see first
 * that it is broken.
 */
import { Refusal } from './transport/refusal.ts';
import type { MessageOf } from './wire/messages.ts';

type Hashes = Pick<MessageOf<'prepared'>, 'modelHash' | 'fingerprint'>;

/** Throws a Refusal when the host has another model, or computes other bits and the run minds. */
export function checkAgreement(run: Hashes & Pick<MessageOf<'run'>, 'mixedNumerics'>, host: Hashes): void {
  const short = (hash: string): string => hash.slice(0, 12);
  if (host.modelHash !== run.modelHash) {
    throw new Refusal('model', `Expected a host with the model ${short(run.modelHash)}, got ${short(host.modelHash)}; run the same version of Lockstep on all hosts.`);
  }
  if (host.fingerprint !== run.fingerprint && !run.mixedNumerics) {
    throw new Refusal(
      'numerics',
      `Expected a host that computes the same bits, with the numeric fingerprint ${short(run.fingerprint)}, got ${short(host.fingerprint)}; use the kernels "wasm", which compute the same everywhere, or allow it with --allow-mixed-numerics.`,
    );
  }
}
