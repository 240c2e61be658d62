/** Room: tests of checkpoint. Names say what a thing is; only our own are known. */
import test from 'ava';
import fc from 'fast-check';
import { asideOf, folderOfStep, ownerOf, prunedName, stepNamed, temporaryName } from '../../src/checkpoint/names.ts';

test('a step has a folder whose name sorts as the step does', (t) => {
  t.is(folderOfStep(1200), 'step-000001200');
  t.is(folderOfStep(1_234_567_890), 'step-1234567890');
  fc.assert(
    fc.property(fc.nat(999_999_999), fc.nat(999_999_999), (a, b) => {
      t.is(folderOfStep(a) < folderOfStep(b), a < b);
      t.deepEqual(stepNamed(folderOfStep(a)), { step: a, aside: false });
      t.deepEqual(stepNamed(asideOf(folderOfStep(a))), { step: a, aside: true });
    }),
  );
});

test('other names are no steps', (t) => {
  for (const name of ['step-1200', 'step-00000120x', 'step-0000001200', 'step--00000012', 'latest', '.step-000001200', 'step-000001200.old.old', '']) {
    t.is(stepNamed(name), undefined, name);
  }
});

test('a temporary name says whose it is', (t) => {
  const owner = { pid: process.pid, serial: 7 };
  t.is(temporaryName('step-000001200', 7), `.step-000001200.${process.pid}-7.tmp`);
  for (const name of ['step-000001200', 'latest', 'best']) t.deepEqual(ownerOf(temporaryName(name, 7)), owner);
  for (const name of ['step-000001200', 'step-000001200.old']) t.deepEqual(ownerOf(prunedName(name, 7)), owner);
  for (const name of ['.notes.1-2.tmp', '.latest.1.tmp', 'latest.1-2.tmp', '.step-1.1-2.tmp']) t.is(ownerOf(name), undefined, name);
});
