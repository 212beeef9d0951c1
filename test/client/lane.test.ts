/** Waiting in line: who is told what, and when. */
import { beforeEach, expect, test } from '@jest/globals';
import { Lane } from '../../src/client/lane.ts';
import { ManualClock, settled } from '../support/clock.ts';

let clock: ManualClock;
let lane: Lane;

beforeEach(() => {
  clock = new ManualClock();
  lane = new Lane(clock);
});

function enter(more: { readonly waitMillis?: number; readonly signal?: AbortSignal } = {}) {
  const pauses: number[] = [];
  const entered = lane.enter({
    signal: more.signal,
    deadlineMillis: clock.monotonicMillis() + (more.waitMillis ?? Number.POSITIVE_INFINITY),
    paused: (millis) => pauses.push(millis),
  });
  const end = entered.then(
    () => 'sent',
    (error) => error.code ?? error.message,
  );
  return { entered, end, pauses };
}

test('whoever pauses is told so once, those who come while others pause included', async () => {
  lane.hold(clock.monotonicMillis() + 60_000);
  const first = enter();
  clock.advance(10_000);
  const second = enter();
  lane.hold(clock.monotonicMillis() + 90_000);
  await settled();
  expect([first.pauses, second.pauses]).toEqual([[60_000], [50_000]]);
});

test('whoever pauses is told so after others have given up, too', async () => {
  lane.hold(clock.monotonicMillis() + 60_000);
  const abort = new AbortController();
  const first = enter({ signal: abort.signal });
  abort.abort(new Error('enough'));
  expect(await first.end).toBe('enough');
  expect(enter().pauses).toEqual([60_000]);
});

test('a pause that was longer than one had time for does not hide it from the next', async () => {
  lane.hold(clock.monotonicMillis() + 60_000);
  const first = enter({ waitMillis: 1_000 });
  expect(await first.end).toBe('RATE_LIMIT_WAIT_TOO_LONG');
  expect(clock.timers).toBe(0);
  expect(enter().pauses).toEqual([60_000]);
});

test('whoever has less time than those before is refused when it is over, and they wait on', async () => {
  enter();
  const patient = enter();
  const hurried = enter({ waitMillis: 2_000 });
  clock.advance(1_999);
  const ends: string[] = [];
  for (const { end } of [patient, hurried]) void end.then((text) => ends.push(text));
  await settled();
  expect(ends).toEqual([]);
  clock.advance(2);
  await settled();
  expect(ends).toEqual(['RATE_LIMIT_WAIT_TOO_LONG']);
  expect(patient.pauses).toEqual([]);
});

test('a hold that is set while others wait refuses those who have not the time for it', async () => {
  enter();
  const patient = enter({ waitMillis: 120_000 });
  const hurried = enter({ waitMillis: 30_000 });
  lane.hold(clock.monotonicMillis() + 60_000);
  expect(await hurried.end).toBe('RATE_LIMIT_WAIT_TOO_LONG');
  expect(patient.pauses).toEqual([60_000]);
});
