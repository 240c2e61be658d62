/**
 * Room: telemetry (level 2). What a rank did in its first steps, moment by moment: every switch of phase and every announcement to other
 * hosts, in a bounded area of the arena that outlives generations. Nothing is sent or written meanwhile, and recording leaves no garbage but
 * clock readings; when the area is full it ends early and says so.
 * An area is float64 [origin of its times, steps begun, is full, entries], then entries of four: what, detail, index, time.
 */
import type { Address, Arena } from '../memory/arena.ts';
import type { MemoryPlan } from '../memory/plan.ts';

const header = { origin: 0, steps: 1, full: 2, entries: 3 } as const;
const headerLength = 4;
const entryLength = 4;

/** What an entry is when it is no switch to a phase, whose index is 0 or more. The detail of `stepMark` is the step, 0 at its end. */
const stepMark = -1;
const announcementMark = -2;

/** An area's place, and how many steps and entries it is for. */
export interface RecordingPlace {
  readonly address: Address;
  readonly steps: number;
  readonly entries: number;
}

/**
 * More than a step of a rank takes in a recording: some 30 of its own, and for every layer what meetings, exchanges of statistics and of
 * gradients cost it, in both directions.
 */
export function entriesPerStep(layers: number): number {
  return 64 + 32 * layers;
}

/** Room for one rank's first `steps` steps of up to `entriesPerStep` entries. */
export function reserveRecording(plan: MemoryPlan, steps: number, entriesPerStep: number): RecordingPlace {
  const entries = steps * entriesPerStep;
  return { address: plan.reserve('control', 8 * (headerLength + entryLength * entries)), steps, entries };
}

/** Writes one rank's record. One that is made later, on the same area, goes on where the one before ended. */
export class Recorder {
  readonly #f64: Float64Array;
  readonly #at: number;
  readonly #place: RecordingPlace;
  /** From this thread's clock to the area's, ms: another thread may have begun it. */
  readonly #shift: number;
  /** True inside a step that is recorded. */
  #isOn = false;

  constructor({ f64 }: Arena, place: RecordingPlace) {
    this.#f64 = f64;
    this.#at = place.address >>> 3;
    this.#place = place;
    if (f64[this.#at] === 0) f64[this.#at] = performance.timeOrigin;
    this.#shift = performance.timeOrigin - f64[this.#at]!;
  }

  /** A step begins. It is recorded when it is one of the first, those included that are done again. */
  beginStep(step: number): void {
    const begun = this.#at + header.steps;
    if (this.#f64[begun]! >= this.#place.steps || this.#f64[this.#at + header.full] !== 0) return;
    this.#f64[begun]!++;
    this.#isOn = true;
    this.#add(stepMark, step, 0);
  }

  /** The step, and with it the phase it is in, ends: it is done, or given up. */
  endStep(): void {
    this.#add(stepMark, 0, 0);
    this.#isOn = false;
  }

  /** From now on it is `phase`. */
  enter(phase: number): void {
    this.#add(phase, -1, 0);
  }

  /** The phase that was entered last is spent waiting for arrivals of the kind `arrival`. */
  awaits(arrival: number): void {
    if (!this.#isOn) return;
    const last = this.#f64[this.#at + header.entries]! - 1;
    this.#f64[this.#at + headerLength + entryLength * last + 1] = arrival;
  }

  /** Something of `kind`, with an index of its own, was given to the network. */
  announced(kind: number, index: number): void {
    this.#add(announcementMark, kind, index);
  }

  #add(what: number, detail: number, index: number): void {
    if (!this.#isOn) return;
    const entries = this.#f64[this.#at + header.entries]!;
    if (entries === this.#place.entries) {
      this.#f64[this.#at + header.full] = 1;
      this.#isOn = false;
      return;
    }
    const at = this.#at + headerLength + entryLength * entries;
    this.#f64[at] = what;
    this.#f64[at + 1] = detail;
    this.#f64[at + 2] = index;
    this.#f64[at + 3] = performance.now() + this.#shift;
    this.#f64[this.#at + header.entries] = entries + 1;
  }
}

/** Times in ms since the recording's origin. */
interface RecordedPhase {
  readonly phase: number;
  /** What it waited for, if that is known; -1 otherwise. */
  readonly awaits: number;
  readonly from: number;
  readonly to: number;
}

interface RecordedAnnouncement {
  readonly kind: number;
  readonly index: number;
  readonly at: number;
}

interface RecordedStep {
  readonly step: number;
  readonly from: number;
  readonly to: number;
  /** One after the other. */
  readonly phases: readonly RecordedPhase[];
  readonly announcements: readonly RecordedAnnouncement[];
}

export interface Recording {
  /** Milliseconds since 1970. */
  readonly origin: number;
  /** In the order in which they were begun: one that was given up comes again. */
  readonly steps: readonly RecordedStep[];
  /** True when it ended early, for lack of room. */
  readonly isFull: boolean;
}

/** True when nothing will be added any more. Cheap. */
export function isRecorded({ f64 }: Arena, { address, steps }: RecordingPlace): boolean {
  const at = address >>> 3;
  const entries = f64[at + header.entries]!;
  const last = at + headerLength + entryLength * (entries - 1);
  return f64[at + header.full] === 1 || (f64[at + header.steps] === steps && f64[last] === stepMark && f64[last + 1] === 0);
}

/** What has been recorded so far. Of a step that has not ended, the phase it is in is left out. */
export function readRecording({ f64 }: Arena, { address }: RecordingPlace): Recording {
  const at = address >>> 3;
  const steps: RecordedStep[] = [];
  let step: { step: number; from: number; to: number; phases: RecordedPhase[]; announcements: RecordedAnnouncement[] } | undefined;
  let open: Omit<RecordedPhase, 'to'> | undefined;
  const end = at + headerLength + entryLength * f64[at + header.entries]!;
  for (let entry = at + headerLength; entry < end; entry += entryLength) {
    const [what, detail, index, time] = f64.subarray(entry, entry + entryLength) as unknown as [number, number, number, number];
    if (what === stepMark && detail !== 0) {
      step = { step: detail, from: time, to: time, phases: [], announcements: [] };
      steps.push(step);
      open = undefined;
      continue;
    }
    step!.to = time;
    if (what === announcementMark) {
      step!.announcements.push({ kind: detail, index, at: time });
      continue;
    }
    if (open) step!.phases.push({ ...open, to: time });
    open = what === stepMark ? undefined : { phase: what, awaits: detail, from: time };
  }
  return { origin: f64[at + header.origin]!, steps, isFull: f64[at + header.full] === 1 };
}
