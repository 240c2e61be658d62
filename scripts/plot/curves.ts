/**
 * Room: scripts (level 8). The curves of a run, out of its log: points by step, those of validation at the last step of their epoch. Long
 * curves are thinned to the lowest and the highest point of each stretch, so that no peak is lost.
 */
import { basename } from 'node:path';
import { readUserFile } from '../../src/config/file.ts';
import { LockstepError } from '../../src/errors.ts';
import type { RunEvent } from '../../src/telemetry/events.ts';

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Curves by name: `loss`, `accuracy`, `gradient norm`, `learning rate`. */
export interface RunCurves {
  readonly name: string;
  readonly training: ReadonlyMap<string, readonly Point[]>;
  readonly validation: ReadonlyMap<string, readonly Point[]>;
}

export const gradientNorm = 'gradient norm';
export const learningRate = 'learning rate';

/** Reads logs of `--log`. A last line that is torn is passed over: the run may be writing it. Throws LOCKSTEP_FILE and LOCKSTEP_DATA. */
export function readCurves(paths: readonly string[]): RunCurves[] {
  const names = paths.map((path) => basename(path, '.jsonl'));
  const areDifferent = new Set(names).size === names.length;
  return paths.map((path, i) => curvesOf(eventsOf(path), areDifferent ? names[i]! : path, path));
}

function eventsOf(path: string): RunEvent[] {
  const lines = readUserFile(path, 'the log of a run').toString('utf8').split('\n');
  return lines.flatMap((line, i) => {
    if (line === '') return [];
    try {
      return [JSON.parse(line) as RunEvent];
    } catch (cause) {
      if (i === lines.length - 1) return [];
      throw new LockstepError('LOCKSTEP_DATA', `Expected line ${i + 1} of \`${path}\` to be JSON, got something else; give the file of \`train --log\`.`, { cause });
    }
  });
}

function curvesOf(events: readonly RunEvent[], name: string, path: string): RunCurves {
  const curves = new GrowingCurves(name);
  for (const event of events) curves.take(event);
  if (!curves.training.has('loss'))
    throw new LockstepError('LOCKSTEP_DATA', `Expected \`${path}\` to hold the steps of a run, got none; give the file of \`train --log\`.`);
  return curves;
}

/** The curves of a run as its events come, from a log or from the run itself. */
export class GrowingCurves implements RunCurves {
  readonly name: string;
  readonly training = new Map<string, Point[]>();
  readonly validation = new Map<string, Point[]>();
  #step = 0;

  constructor(name: string) {
    this.name = name;
  }

  take(event: RunEvent): void {
    if (event.event === 'step') {
      this.#step = event.step;
      this.#add(this.training, { loss: event.loss, ...event.metrics, [gradientNorm]: event.gradNorm, [learningRate]: event.learningRate });
    } else if (event.event === 'epoch' && event.validation) {
      this.#add(this.validation, { loss: event.validation.loss, ...event.validation.metrics });
    }
  }

  #add(curves: Map<string, Point[]>, values: Readonly<Record<string, number | null>>): void {
    for (const [curve, y] of Object.entries(values)) {
      // What is not finite is null in a log.
      if (y === null || !Number.isFinite(y)) continue;
      const points = curves.get(curve);
      if (points) points.push({ x: this.#step, y });
      else curves.set(curve, [{ x: this.#step, y }]);
    }
  }
}

/** A run of which every curve is thinned. */
export function thinnedRun({ name, training, validation }: RunCurves, most: number): RunCurves {
  const each = (curves: RunCurves['training']): RunCurves['training'] => new Map([...curves].map(([curve, points]) => [curve, thinned(points, most)]));
  return { name, training: each(training), validation: each(validation) };
}

/** At most about `most` of the points: of each of `most / 2` stretches the lowest and the highest, in their order; the first and the last stay. */
export function thinned(points: readonly Point[], most: number): readonly Point[] {
  if (points.length <= most) return points;
  const stretches = Math.floor(most / 2);
  const kept: Point[] = [points[0]!];
  for (let stretch = 0; stretch < stretches; stretch++) {
    const part = points.slice(Math.floor((stretch * points.length) / stretches), Math.floor(((stretch + 1) * points.length) / stretches));
    let [low, high] = [part[0]!, part[0]!];
    for (const point of part) {
      if (point.y < low.y) low = point;
      if (point.y > high.y) high = point;
    }
    kept.push(...(low === high ? [low] : low.x < high.x ? [low, high] : [high, low]));
  }
  kept.push(points.at(-1)!);
  return kept.filter((point, i) => i === 0 || point !== kept[i - 1]);
}
