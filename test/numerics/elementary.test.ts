// biome-ignore-all lint/suspicious/noApproximativeNumericConstant: the table holds mpmath's values, whatever they resemble
/**
 * Room: tests of numerics. The elementary functions against values of mpmath (60 digits, rounded to float64), the edges
 * of their ranges, and identities between them over dense sweeps.
 */
import test from 'ava';
import { cosTwoPi, erf, erfc, exp, expm1, integerPower, log, log1p, sinTwoPi, tanh } from '../../src/numerics/elementary.ts';

const functions = { cosTwoPi, erf, erfc, exp, expm1, log, log1p, sinTwoPi, tanh };

interface Case {
  readonly name: keyof typeof functions;
  /** The largest error in units of the last place, of which half is the rounding of the expected value. */
  readonly ulps: number;
  /** x, expected, x, expected, ... */
  readonly pairs: readonly number[];
}

const cases: readonly Case[] = [
  {
    name: 'exp',
    ulps: 1,
    pairs: [
      -745, 5e-324, -708.5, 2.006132305331306e-308, -300.25, 4.009422364622857e-131, -20.5, 1.2501528663867426e-9, -1, 0.36787944117144233, -0.34657359027997,
      0.7071067811865495, -1e-10, 0.9999999999, 1e-300, 1, 0.3, 1.3498588075760032, 0.5, 1.6487212707001282, 1, 2.718281828459045, 2.5, 12.182493960703473, 88.7,
      3.325986980250579e38, 500.125, 1.5904783503965786e217, 709.7, 1.6549840276802644e308,
    ],
  },
  {
    name: 'expm1',
    ulps: 2,
    pairs: [
      -39.5, -1, -20.25, -0.9999999983947719, -5.5, -0.995913228561536, -1, -0.6321205588285577, -0.5, -0.3934693402873666, -0.34657, -0.2928906800975801, -1e-5,
      -9.999950000166666e-6, -1e-20, -1e-20, 1e-300, 1e-300, 1e-9, 1.0000000005000001e-9, 0.1, 0.10517091807564763, 0.35, 0.41906754859325723, 0.372749415326449,
      0.45172051533883456, 0.7, 1.0137527074704764, 1.5, 3.481689070338065, 30.5, 17619017951354.633, 60.5, 1.8828518748858514e26, 709.7, 1.6549840276802644e308,
    ],
  },
  {
    name: 'log',
    ulps: 1,
    pairs: [
      5e-324, -744.4400719213812, 1e-310, -713.8013788281542, 1e-300, -690.7755278982137, 0.001, -6.907755278982137, 0.5, -0.6931471805599453, 0.7071, -0.346583180371942,
      0.9999999999, -1.000000082790371e-10, 1.0000000001, 1.000000082690371e-10, 1.25, 0.22314355131420976, 1.4142, 0.3465640001880033, 2, 0.6931471805599453,
      2.718281828459045, 1, 10, 2.302585092994046, 12345.678, 9.421061321291832, 1e300, 690.7755278982137,
    ],
  },
  {
    name: 'log1p',
    ulps: 1,
    pairs: [
      -0.9999999999, -23.02585084720009, -0.75, -1.3862943611198906, -0.29, -0.3424903089467759, -0.1, -0.10536051565782631, -1e-5, -1.0000050000333337e-5, -1e-20,
      -1e-20, 1e-300, 1e-300, 1e-9, 9.999999995e-10, 0.01, 0.009950330853168083, 0.405, 0.3400373027857091, 0.42, 0.35065687161316933, 1, 0.6931471805599453,
      1.7126786861926413, 0.9979365917909705, 10000000000, 23.025850930040455, 1e300, 690.7755278982137,
    ],
  },
  {
    name: 'tanh',
    ulps: 2,
    pairs: [
      -25, -1, -3.5, -0.9981778976111987, -1, -0.7615941559557649, -0.22390046197250912, -0.22023251376384295, -1e-5, -9.999999999666668e-6, 1e-300, 1e-300, 0.01,
      0.00999966667999946, 0.3, 0.2913126124515909, 0.5493, 0.49999539173530155, 0.999, 0.76117386166057, 1.001, 0.7620138105510068, 2, 0.9640275800758169, 7.25,
      0.9999989913051835, 18.5, 0.9999999999999998, 21.9, 1,
    ],
  },
  {
    name: 'erf',
    ulps: 2,
    pairs: [
      -6.5, -1, -2, -0.9953222650189527, -0.75, -0.7111556336535151, -0.3, -0.3286267594591274, -1e-5, -1.1283791670579e-5, 1e-300, 1.1283791670955126e-300, 0.001,
      0.0011283787909692365, 0.1, 0.1124629160182849, 0.4769, 0.49996739409753477, 0.7499, 0.7110913357245858, 0.7501, 0.7112199219384784, 1, 0.8427007929497149, 1.5,
      0.9661051464753108, 3.25, 0.9999956972205363, 5.75, 0.9999999999999996,
    ],
  },
  {
    name: 'erfc',
    ulps: 4,
    pairs: [
      -7, 2, -2, 1.9953222650189528, -0.5, 1.5204998778130465, 0, 1, 0.1, 0.887537083981715, 0.4999, 0.4795880048386134, 0.5001, 0.4794122483231193, 0.75,
      0.28884436634648486, 1, 0.15729920705028513, 1.5, 0.033894853524689274, 2.5, 0.0004069520174449589, 4, 1.541725790028002e-8, 7, 4.183825607779414e-23, 12.125,
      6.579667433732765e-66, 20, 5.395865611607901e-176, 22.08597541854559, 3.6494247100465244e-214, 26, 5.663192408856143e-296,
    ],
  },
  {
    name: 'cosTwoPi',
    ulps: 2,
    pairs: [
      0, 1, 1e-10, 1, 0.05, 0.9510565162951535, 0.125, 0.7071067811865476, 0.1875, 0.3826834323650898, 0.24, 0.06279051952931343, 0.25, 0, 0.3, -0.30901699437494734,
      0.375, -0.7071067811865476, 0.5, -1, 0.6, -0.8090169943749475, 0.625, -0.7071067811865476, 0.75, 0, 0.8307368456953143, 0.4858055669259959, 0.875,
      0.7071067811865476, 0.999, 0.9999802608561371,
    ],
  },
  {
    name: 'sinTwoPi',
    ulps: 2,
    pairs: [
      0, 0, 1e-300, 6.283185307179587e-300, 1e-10, 6.283185307179587e-10, 0.05, 0.30901699437494745, 0.125, 0.7071067811865476, 0.1875, 0.9238795325112867, 0.25, 1, 0.3,
      0.9510565162951536, 0.375, 0.7071067811865476, 0.48187169804059626, 0.11365734289196713, 0.5, 0, 0.6, -0.587785252292473, 0.75, -1, 0.9, -0.587785252292473, 0.999,
      -0.006283143965558957,
    ],
  },
];

const word = new DataView(new ArrayBuffer(8));

/** The place of a float64 in the order of all float64: neighbours differ by 1, and 0 and -0 are the same. */
function place(x: number): bigint {
  word.setFloat64(0, x);
  const bits = word.getBigInt64(0);
  return bits < 0n ? -(bits & 0x7fff_ffff_ffff_ffffn) : bits;
}

function ulpsBetween(a: number, b: number): number {
  return Math.abs(Number(place(a) - place(b)));
}

for (const { name, ulps, pairs } of cases) {
  test(`${name} is within ${ulps} ulp of mpmath's values`, (t) => {
    for (let i = 0; i < pairs.length; i += 2) {
      const [x, expected] = pairs.slice(i) as [number, number];
      const actual = functions[name](x);
      t.true(ulpsBetween(actual, expected) <= ulps, `${name}(${x}) is ${actual}, expected ${expected}`);
    }
  });
}

test('NaN stays NaN', (t) => {
  for (const f of [exp, expm1, log, log1p, tanh, erf, erfc]) t.is(f(NaN), NaN);
});

test('infinities, zeros, overflow and underflow have their limits', (t) => {
  const table: readonly (readonly [actual: number, expected: number])[] = [
    [exp(Infinity), Infinity],
    [exp(-Infinity), 0],
    [exp(710), Infinity],
    [exp(-746), 0],
    [exp(0), 1],
    [exp(-0), 1],
    [exp(-745), 5e-324],
    [expm1(Infinity), Infinity],
    [expm1(-Infinity), -1],
    [expm1(710), Infinity],
    [expm1(0), 0],
    [expm1(-0), -0],
    [expm1(-1e-320), -1e-320],
    [log(0), -Infinity],
    [log(-0), -Infinity],
    [log(1), 0],
    [log(Infinity), Infinity],
    [log(-1), NaN],
    [log(-Infinity), NaN],
    [log1p(0), 0],
    [log1p(-0), -0],
    [log1p(-1), -Infinity],
    [log1p(-1.5), NaN],
    [log1p(Infinity), Infinity],
    [log1p(-1e-320), -1e-320],
    [tanh(0), 0],
    [tanh(-0), -0],
    [tanh(Infinity), 1],
    [tanh(-Infinity), -1],
    [tanh(-1e300), -1],
    [erf(0), 0],
    [erf(-0), -0],
    [erf(Infinity), 1],
    [erf(-Infinity), -1],
    [erfc(0), 1],
    [erfc(Infinity), 0],
    [erfc(-Infinity), 2],
    [erfc(28), 0],
    [cosTwoPi(0), 1],
    [cosTwoPi(0.5), -1],
    [sinTwoPi(0), 0],
    [sinTwoPi(0.25), 1],
    [sinTwoPi(0.75), -1],
  ];
  for (const [actual, expected] of table) t.is(actual, expected);
});

test('quarter turns are exact zeros', (t) => {
  for (const value of [cosTwoPi(0.25), cosTwoPi(0.75), sinTwoPi(0.5)]) t.is(Math.abs(value), 0);
});

test('log undoes exp, log1p undoes expm1, cos^2 + sin^2 = 1, erf + erfc = 1', (t) => {
  for (let i = -2000; i <= 2000; i++) {
    const x = i / 127;
    t.true(Math.abs(log(exp(x)) - x) <= 2 ** -52 * Math.max(1, Math.abs(x)), `log(exp(${x}))`);
    t.true(Math.abs(log1p(expm1(x)) - x) <= 2 ** -51 * Math.max(1, Math.abs(x)) * Math.max(1, exp(-x)), `log1p(expm1(${x}))`);
    t.true(Math.abs(erf(x) + erfc(x) - 1) <= 2 ** -51, `erf(${x}) + erfc(${x})`);
    const turn = (i + 2000) / 4001;
    t.true(Math.abs(cosTwoPi(turn) ** 2 + sinTwoPi(turn) ** 2 - 1) <= 2 ** -51, `cos^2 + sin^2 of ${turn} turns`);
    t.is(tanh(-x), -tanh(x));
  }
});

test('exp, log, tanh and erf grow without a step back over the seams of their formulas', (t) => {
  const seams = [-708.4, -0.3465735902799727, 0.3465735902799727, 0.5, 0.75, 1, 1.4142135623730951, 22];
  for (const f of [exp, log, tanh, erf]) {
    for (const seam of seams) {
      for (let step = -200; step < 200; step++) {
        const [before, after] = [f(seam * (1 + step * 1e-13)), f(seam * (1 + (step + Math.sign(seam)) * 1e-13))];
        if (!Number.isNaN(before)) t.true(after >= before, `${f.name} at ${seam}`);
      }
    }
  }
});

test('integerPower is exact where the powers are, and close for the powers of a decay', (t) => {
  t.is(integerPower(2, 10), 1024);
  t.is(integerPower(-3, 5), -243);
  t.is(integerPower(0, 0), 1);
  t.is(integerPower(2, -3), 0.125);
  t.is(integerPower(0.5, 1074), 5e-324);
  t.true(ulpsBetween(integerPower(0.9, 100), 2.6561398887587544e-5) <= 50);
  t.true(ulpsBetween(integerPower(0.999, 10_000), 4.517334597704824e-5) <= 5000);
});
