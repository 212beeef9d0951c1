/** Which outcome of a request is counted as what. */
import { describe, expect, test } from '@jest/globals';
import { Undecidable, type UndecidableCode } from '../../../src/core/errors.ts';
import { observedBy } from '../../../src/observability/observers.ts';
import { StatsRegistry } from '../../../src/observability/stats/registry.ts';
import { statsObserver } from '../../../src/observability/stats/stats-observer.ts';
import { statsdForms } from '../../../src/observability/stats/statsd-lines.ts';
import { StatsdSink } from '../../../src/observability/stats/statsd-sink.ts';
import type { RequestObserver } from '../../../src/ports/observer.ts';
import { of, plan, policyOf } from '../../core/build.ts';
import { callOf, decisionOf } from './decisions.ts';

const LIMITS = 'ratelimit.service.rate_limit';
const CALL = 'ratelimit.service.call.should_rate_limit';

function started() {
  const lines: string[] = [];
  const sink = new StatsdSink(statsdForms({}), { send: (line) => lines.push(line) });
  const registry = new StatsRegistry({ sink, nearLimitRatio: 0.8 });
  return {
    observer: statsObserver(registry),
    registry,
    /** What was counted since the last time. */
    sent(): string[] {
      registry.flush();
      return lines.splice(0);
    },
  };
}

describe('a decision', () => {
  test('counts every descriptor that met a limit, and no other', () => {
    const { observer, sent } = started();
    const decision = decisionOf(['d.a', 'd.b']);
    const [first] = decision.statuses;
    observer.decided(callOf('d'), {
      ...decision,
      statuses: [...decision.statuses, { ...first!, counted: undefined }, first!],
    });
    expect(sent()).toEqual([
      `${LIMITS}.d.a.total_hits:2|c`,
      `${LIMITS}.d.a.within_limit:2|c`,
      `${LIMITS}.d.b.total_hits:1|c`,
      `${LIMITS}.d.b.within_limit:1|c`,
    ]);
  });

  test('that SHADOW_MODE has turned into OK is counted once', () => {
    const { observer, sent } = started();
    const decision = decisionOf(['d.a', 'd.b'], { used: 12, over: true });
    observer.decided(callOf('d'), { ...decision, globallyShadowed: true });
    expect(sent()).toEqual([
      'ratelimit.service.global_shadow_mode:1|c',
      `${LIMITS}.d.a.total_hits:1|c`,
      `${LIMITS}.d.a.over_limit:1|c`,
      `${LIMITS}.d.b.total_hits:1|c`,
      `${LIMITS}.d.b.over_limit:1|c`,
    ]);
  });

  test('of the local cache, and of a rule in shadow mode', () => {
    const { observer, sent } = started();
    observer.decided(callOf('d'), decisionOf(['d.a'], { hits: 3, cached: true, shadow: true }));
    expect(sent()).toEqual([
      `${LIMITS}.d.a.total_hits:3|c`,
      `${LIMITS}.d.a.over_limit:3|c`,
      `${LIMITS}.d.a.over_limit_with_local_cache:3|c`,
      `${LIMITS}.d.a.shadow_mode:3|c`,
    ]);
  });

  test('for a domain that no policy knows counts its descriptors', () => {
    const { observer, sent } = started();
    observer.decided(callOf(undefined, { requestedDomain: 'other' }), decisionOf(['x', 'y']));
    expect(sent()).toEqual([`${LIMITS}.other.domain_not_found:2|c`]);
  });

  test('a peek or a refund sends nothing', () => {
    const { observer, sent } = started();
    observer.decided(callOf('d'), decisionOf(['d.a'], { hits: 0, used: 20, over: true }));
    expect(sent()).toEqual([]);
  });
});

test.each<[code: UndecidableCode, stat: string]>([
  ['STORE_TIMEOUT', 'redis_error'],
  ['STORE_FAILED', 'redis_error'],
  ['STORE_OPEN', 'redis_error'],
  ['STORE_BUSY', 'redis_error'],
])('a request that cannot be decided for %s is a %s', (code, stat) => {
  const { observer, sent } = started();
  observer.undecided(callOf('d'), new Undecidable(code, 'late'), undefined);
  expect(sent()).toEqual([`${CALL}.${stat}:1|c`]);
});

test('hits of a request that cannot be decided are in total_hits alone', () => {
  const { observer, sent } = started();
  const policy = policyOf([{ key: 'k', rate_limit: { unit: 'hour', requests_per_unit: 5 } }]);
  const asked = plan(policy, [
    of({ k: 'v' }, { hitsAddend: 3 }),
    of({ k: 'v' }, { hitsAddend: 9, isNegativeHits: true }),
  ]);
  observer.undecided(callOf('d'), new Undecidable('STORE_FAILED', 'down'), asked);
  expect(sent().sort()).toEqual([`${LIMITS}.d.k.total_hits:3|c`, `${CALL}.redis_error:1|c`].sort());
});

test('a request that is refused is a service_error', () => {
  const { observer, sent } = started();
  observer.refused({ door: 'json' });
  expect(sent()).toEqual([`${CALL}.service_error:1|c`]);
});

test("the admin API's own limits are none of the reference's statistics", () => {
  const { observer, sent } = started();
  observer.decided(callOf('headroom_admin', { door: 'admin' }), decisionOf(['headroom_admin.token']));
  observer.undecided(callOf('headroom_admin', { door: 'admin' }), new Undecidable('STORE_FAILED', 'down'), undefined);
  observer.refused({ door: 'admin' });
  expect(sent()).toEqual([]);
});

test('a flush of many names gives way to decisions, and ends though names are made all the time', () => {
  const { observer, registry } = started();
  for (let index = 0; index < 2_000; index++) observer.decided(callOf('d'), decisionOf([`d.k_${index}`]));
  let turns = 0;
  for (const _ of registry.flushing()) {
    turns += 1;
    for (let index = 0; index < 1_000; index++) observer.decided(callOf('d'), decisionOf([`d.${turns}_${index}`]));
    if (turns > 100) break;
  }
  expect(turns).toBe(3);
});

describe('observers', () => {
  function recording(name: string, seen: string[]): RequestObserver {
    return {
      decided: () => seen.push(`${name} decided`),
      undecided: () => seen.push(`${name} undecided`),
      refused: () => seen.push(`${name} refused`),
    };
  }

  test('two are told of the same', () => {
    const seen: string[] = [];
    const both = observedBy(recording('a', seen), recording('b', seen));
    both.decided(callOf('d'), decisionOf([]));
    both.undecided(callOf('d'), new Undecidable('STORE_OPEN', 'down'), undefined);
    both.refused({ door: 'rls' });
    expect(seen).toEqual(['a decided', 'b decided', 'a undecided', 'b undecided', 'a refused', 'b refused']);
  });

  test('one alone is not wrapped', () => {
    const alone = recording('a', []);
    expect(observedBy(alone, undefined)).toBe(alone);
  });
});
