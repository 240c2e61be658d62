/**
 * Room: scripts (level 8). What a learning-rate range test shows (Smith 2017, "Cyclical Learning Rates for Training Neural Networks"): the
 * loss of steps at growing rates, smoothed, and the rate at which it falls fastest.
 */

export interface RatePoint {
  readonly rate: number;
  /** Of the step itself; not finite where it blew up. */
  readonly loss: number;
  /** The running mean of losses, without the pull of its beginning at 0. */
  readonly smoothed: number;
}

/** Share of the old mean that a step keeps: a memory of about ten steps. */
const kept = 0.9;
/** A smoothed loss of so many times the least one has diverged. */
const divergedAt = 4;
/** The first steps say more of the first batches than of the rate. */
const settling = 5;

export class RateRange {
  readonly points: RatePoint[] = [];
  #mean = 0;
  #weight = 0;
  #least = Number.POSITIVE_INFINITY;

  /** Takes a step's rate and loss; true when the loss has diverged, after which nothing is to be learnt. */
  add(rate: number, loss: number): boolean {
    this.#mean = kept * this.#mean + (1 - kept) * loss;
    this.#weight = kept * this.#weight + (1 - kept);
    const smoothed = this.#mean / this.#weight;
    if (!Number.isFinite(smoothed)) return true;
    this.points.push({ rate, loss, smoothed });
    this.#least = Math.min(this.#least, smoothed);
    return this.points.length > settling && smoothed > divergedAt * this.#least;
  }

  /** The rate of the steepest descent of the smoothed loss over the logarithm of the rate; undefined when it never fell. */
  get suggestion(): number | undefined {
    const { points } = this;
    let [steepest, found] = [0, undefined as number | undefined];
    for (let i = settling; i + 1 < points.length; i++) {
      const [before, after] = [points[i - 1]!, points[i + 1]!];
      const slope = (after.smoothed - before.smoothed) / Math.log(after.rate / before.rate);
      if (slope < steepest) [steepest, found] = [slope, points[i]!.rate];
    }
    return found;
  }
}
