/**
 * Room: telemetry (level 2). What the live page draws of many points: about as many as a chart has room for, each of equally many steps, so that
 * the line is as rough at its end, where single steps are known, as at its beginning. Nothing here knows of a browser.
 */

const fields = ['loss', 'accuracy', 'gradNorm', 'samplesPerSecond'];

/** Steps that a drawn point stands for: 1, 2 or 5 times a power of ten, so that it seldom changes. */
export function stepsAPoint(points, most) {
  if (points.length < 2) return 1;
  const needed = (points.at(-1).step - points[0].step) / most;
  if (needed <= 1) return 1;
  const power = 10 ** Math.floor(Math.log10(needed));
  return [1, 2, 5, 10].map((n) => n * power).find((n) => n >= needed);
}

/** Points in groups of `steps` steps as means of their numbers, each by the steps it stands for; null where there is none. */
export function grouped(points, steps) {
  const groups = [];
  let before = points.length > 0 ? points[0].step - 1 : 0;
  for (const point of points) {
    const weight = Math.max(1, point.step - before);
    before = point.step;
    const place = Math.floor((point.step - 1) / steps);
    if (groups.at(-1)?.place !== place) groups.push({ place, step: point.step, sums: fields.map(() => 0), weights: fields.map(() => 0) });
    const group = groups.at(-1);
    group.step = point.step;
    for (const [i, field] of fields.entries()) {
      if (!Number.isFinite(point[field])) continue;
      group.sums[i] += weight * point[field];
      group.weights[i] += weight;
    }
  }
  return groups.map(({ step, sums, weights }) => ({ step, ...Object.fromEntries(fields.map((field, i) => [field, weights[i] > 0 ? sums[i] / weights[i] : null])) }));
}

/** Weighted sums of values up to each, the weight falling by half in about `reach` values. */
function trailing(values, reach) {
  let sum = 0;
  let weight = 0;
  const keep = 0.5 ** (1 / reach);
  return values.map((value) => {
    sum = keep * sum + (value ?? 0);
    weight = keep * weight + (value === null ? 0 : 1);
    return [sum, weight];
  });
}

/** Values as means of their neighbours on both sides, so that the line does not lag behind; `reach` of them count half. Nulls stay. */
export function smoothed(values, reach) {
  const left = trailing(values, reach);
  const right = trailing(values.toReversed(), reach).toReversed();
  return values.map((value, i) => (value === null ? null : (left[i][0] + right[i][0] - value) / (left[i][1] + right[i][1] - 1)));
}
