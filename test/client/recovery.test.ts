/** Coming back after a refusal that told no limit: the cases that only odd timing brings about. */
import { expect, test } from '@jest/globals';
import { Recovery, type Sent } from '../../src/client/recovery.ts';

const NOW = 7_000;

/** So many calls are sent, each as soon as it may be. */
function send(recovery: Recovery, count: number, sentMillis = NOW) {
  return Array.from({ length: count }, () => {
    expect(recovery.verdict(sentMillis)).toEqual({ type: 'go' });
    const call = { sentMillis };
    recovery.sent(call);
    return call;
  });
}

test('before a refusal everybody may go', () => {
  send(new Recovery(), 100);
});

test('after a second refusal one goes again, when those before it are answered, and their answers let no more go', () => {
  const recovery = new Recovery();
  recovery.refused();
  for (let answered = 0; answered < 4; answered += 1)
    for (const call of send(recovery, 1)) recovery.answered(call, false);
  const calls = send(recovery, 3);
  recovery.refused();
  expect(recovery.verdict(NOW)).toEqual({ type: 'wait', atMillis: NOW + 5_000 });
  for (const call of calls) recovery.answered(call, false);
  send(recovery, 1);
  expect(recovery.verdict(NOW)).toEqual({ type: 'wait', atMillis: NOW + 5_000 });
});

test('a call that takes longer than 5 s does not count as under way, and those after it do', () => {
  const recovery = new Recovery();
  recovery.refused();
  for (const call of send(recovery, 1)) recovery.answered(call, false);
  send(recovery, 1);
  send(recovery, 1, NOW + 1_000);
  expect(recovery.verdict(NOW + 4_999)).toEqual({ type: 'wait', atMillis: NOW + 5_000 });
  send(recovery, 1, NOW + 5_000);
  expect(recovery.verdict(NOW + 5_000)).toEqual({ type: 'wait', atMillis: NOW + 6_000 });
});

test('an answer that tells a limit ends it, and what is under way then counts no more, not even after the next', () => {
  const recovery = new Recovery();
  recovery.refused();
  for (const call of send(recovery, 1)) recovery.answered(call, false);
  for (const call of send(recovery, 2).slice(1)) recovery.answered(call, true);
  send(recovery, 100);
  recovery.refused();
  send(recovery, 1);
});

test('answers that take long let as many more be under way as quick ones do', () => {
  const recovery = new Recovery();
  recovery.refused();
  let nowMillis = NOW;
  let underWayMost = 0;
  for (let round = 0; round < 6; round += 1) {
    const calls: Sent[] = [];
    while (recovery.verdict(nowMillis).type === 'go' && calls.length < 100) {
      const call = { sentMillis: nowMillis };
      recovery.sent(call);
      calls.push(call);
    }
    underWayMost = calls.length;
    nowMillis += 20_000;
    // Whoever waits asks again meanwhile, and counts these calls as under way no more.
    recovery.verdict(nowMillis);
    for (const call of calls) recovery.answered(call, false);
  }
  expect(underWayMost).toBeGreaterThanOrEqual(4);
  expect(underWayMost).toBeLessThan(100);
});
