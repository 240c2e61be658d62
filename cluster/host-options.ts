/**
 * Room: cluster (level 7). What a host's session with a coordinator is made with.
 */
import type { IntakeOptions } from './data/intake.ts';
import type { Household, HouseholdOptions } from './household.ts';
import type { Member } from './member.ts';
import type { StepLinks } from './step-links.ts';

export interface HostOptions extends IntakeOptions, HouseholdOptions {
  /** Where other hosts reach this one. */
  readonly address: string;
  /** Where its metrics are reached; empty when it has none. */
  readonly metrics: string;
  readonly stepLinks: StepLinks;
  /** What the session before this one left. */
  readonly kept?: Household | undefined;
  /** Told what runs here once that is known. */
  readonly onMember?: (member: Member, runId: string) => void;
}
