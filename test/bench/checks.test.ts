/** What the benchmark makes of its figures. */
import { expect, test } from '@jest/globals';
import { fails, outcomesOf } from '../../bench/checks.ts';
import type { Measurement } from '../../bench/measure.ts';
import { planOf, type Setup } from '../../bench/plan.ts';
import type { Round } from '../../bench/report.ts';
import type { RoundTrips } from '../../bench/task.ts';

const NOTHING_CHOSEN = {
  all: false,
  only: undefined,
  inflights: undefined,
  connections: undefined,
  workers: undefined,
};

function bareOf(p50: number): RoundTrips {
  const latency = { p50, p99: 1, p999: 1 };
  return { get: latency, echo: latency };
}

/** A round on a machine that is so many times slower than another. */
function roundOf(setups: readonly Setup[], slower: number): Round {
  return setups.map((setup): Measurement => {
    const service = { 'grpc-js-constant': 60, 'headroom-memory': 9, 'headroom-redis': 15 }[setup.variant as string];
    const redis = { 'headroom-redis': 6, 'grpc-js-incrby': 30, 'redis-incrby': 20 }[setup.variant as string];
    const p50 = setup.inflight === 1 ? 0.15 : 2;
    return {
      setup,
      answers: 1_000,
      denied: 100,
      seconds: 1,
      fromMicros: 0,
      toMicros: 1_000_000,
      latencyMillis: { p50: p50 * slower, p99: 3.5 * p50 * slower, p999: 4 * p50 * slower },
      cpuMicros: { service: service && service * slower, redis: redis && redis * slower, client: 3 },
      othersShare: 0,
      ...(setup.inflight === 1 ? { roundTripMillis: bareOf(0.06 * slower) } : {}),
    };
  });
}

test('a run without options measures all that the checks need, and compares figures of one round only', () => {
  const setups = planOf(NOTHING_CHOSEN);
  const outcomes = outcomesOf([1, 3, 1].map((slower) => roundOf(setups, slower)));
  expect(outcomes.map(({ measured, ...outcome }) => [measured, fails({ measured, ...outcome })])).toEqual([
    [{ median: 0.25, min: 0.25, max: 0.25 }, false],
    [{ median: 0.15, min: 0.15, max: 0.15 }, false],
    [{ median: 0.2, min: 0.2, max: 0.2 }, false],
    [{ median: 0.3, min: 0.3, max: 0.3 }, false],
    [{ median: 3.5, min: 3.5, max: 3.5 }, true],
    [{ median: expect.closeTo(90), min: expect.closeTo(90), max: expect.closeTo(270) }, false],
  ]);
});

test('a check that nothing was measured for does not fail', () => {
  const setups = planOf({ ...NOTHING_CHOSEN, only: ['grpc-js-constant'] });
  expect(outcomesOf([roundOf(setups, 1)]).filter(fails)).toEqual([]);
});

test('the whole matrix has every variant under every load, and no load has more connections than calls', () => {
  const setups = planOf({ ...NOTHING_CHOSEN, all: true });
  const loads = new Set(setups.map(({ inflight, connections }) => `${inflight} on ${connections}`));
  expect([...loads]).toEqual(['1 on 1', '8 on 1', '8 on 4', '64 on 1', '64 on 4', '256 on 1', '256 on 4']);
  expect(setups).toHaveLength(loads.size * new Set(setups.map(({ variant }) => variant)).size);
});

test('only Headroom with Redis is measured with several workers', () => {
  const setups = planOf({
    ...NOTHING_CHOSEN,
    only: ['grpc-js-incrby', 'redis-incrby', 'headroom-memory', 'headroom-redis'],
    workers: [1, 2],
  });
  expect(setups.map(({ variant, workers }) => [variant, workers])).toEqual([
    ['grpc-js-incrby', 1],
    ['redis-incrby', 1],
    ['headroom-memory', 1],
    ['headroom-redis', 1],
    ['headroom-redis', 2],
  ]);
});
