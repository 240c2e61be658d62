/**
 * Room: tests of scripts. A file that grows is read line by line, and a log says when its run went on.
 */
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { StepWatch, Tail } from '../../../scripts/chaos/tail.ts';

function newFolder(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-tail-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test('lines come once, whole, and none while there is no file', (t) => {
  const path = join(newFolder(t), 'file');
  const tail = new Tail(path);
  t.deepEqual(tail.lines(), []);
  appendFileSync(path, 'one\ntw');
  t.deepEqual(tail.lines(), ['one']);
  t.deepEqual(tail.lines(), []);
  appendFileSync(path, `o\n${'x'.repeat(200_000)}\n`);
  t.deepEqual(
    tail.lines().map(({ length }) => length),
    [3, 200_000],
  );
});

test('a run goes on only beyond the steps it had, also in the log of a process that was started again', (t) => {
  const folder = newFolder(t);
  const [first, second] = [join(folder, 'first'), join(folder, 'second')];
  const write = (path: string, ...steps: number[]): void => appendFileSync(path, steps.map((step) => `${JSON.stringify({ event: 'step', step })}\n`).join(''));
  const watch = new StepWatch();
  watch.follow(first);
  write(first, 1, 2, 3);
  watch.look(100);
  watch.follow(second);
  write(second, 2, 3);
  watch.look(200);
  t.is(watch.step, 3);
  write(second, 4);
  watch.look(400);
  write(second, 5);
  watch.look(450);
  t.deepEqual(watch.advances, [100, 400, 450]);
  t.is(watch.longestGap(150, 1000), 300);
  t.is(watch.longestGap(410, 1000), 50);
  t.is(watch.longestGap(500, 1000), 0, 'nothing was seen since');
  t.is(watch.end, undefined);
  appendFileSync(second, `${JSON.stringify({ event: 'end', steps: 5, weightsSha256: 'a' })}\n`);
  watch.look(460);
  t.is(watch.end?.steps, 5);
});
