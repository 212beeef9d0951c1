/** What is counted, without a process: every label value, and that callers cannot make series. */
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Decision, Reason, Status } from '../../src/core/decision.ts';
import { Undecidable, type UndecidableCode } from '../../src/core/errors.ts';
import type { Limit } from '../../src/core/limit.ts';
import { createLogger } from '../../src/observability/logger.ts';
import { startTelemetry, type Telemetry } from '../../src/observability/telemetry.ts';
import type { Door, ObservedCall } from '../../src/ports/observer.ts';
import { parsePrometheus, samplesOf, sampleValue } from './prometheus-text.ts';

const DECISIONS = 'headroom_rate_limiting_decisions_total';

let telemetry: Telemetry;

beforeEach(async () => {
  telemetry = await startTelemetry({
    env: {},
    version: '1.2.3',
    log: createLogger({ level: 'error', format: 'json' }),
    countersIn: 'memory',
  });
});

afterEach(() => telemetry.shutdown());

test.each<[Reason, string]>([
  ['within_limit', 'allowed'],
  ['no_limit', 'allowed'],
  ['over_limit', 'limited'],
  ['cost_exceeds_limit', 'limited'],
  ['shadowed', 'shadowed'],
])('a decision for the reason %s is counted as %s', async (reason, result) => {
  telemetry.metrics.decided(callOf('rls', 'shop', 1), decisionOf(reason, 'api_key'));
  expect(samplesOf(await scrape(), DECISIONS)).toEqual([
    { name: DECISIONS, labels: { door: 'rls', result, domain: 'shop', policy: 'api_key' }, value: 1 },
  ]);
});

test('a request that could not be decided is counted as error, of no policy', async () => {
  telemetry.metrics.undecided(callOf('rls', 'shop', 1));
  const labels = { door: 'rls', result: 'error', domain: 'shop', policy: 'none' };
  expect(samplesOf(await scrape(), DECISIONS)).toEqual([{ name: DECISIONS, labels, value: 1 }]);
});

test.each<Door>(['rls', 'check', 'json', 'admin'])('the door %s is a label', async (door) => {
  telemetry.metrics.decided(callOf(door, 'shop', 1), decisionOf('within_limit', 'api_key'));
  telemetry.metrics.decided(callOf(door, 'shop', 1), decisionOf('within_limit', 'api_key'));
  expect(sampleValue(await scrape(), DECISIONS, { door })).toBe(2);
});

describe('the policy of a decision', () => {
  test('is the one that decided', async () => {
    telemetry.metrics.decided(callOf('rls', 'shop', 1), decisionOf('over_limit', 'address'));
    expect(sampleValue(await scrape(), DECISIONS, { policy: 'address' })).toBe(1);
  });

  test('is the shadowed one when only a shadowed limit was exceeded', async () => {
    const within = statusOf('within_limit', 'enforced');
    const statuses = [within, statusOf('shadowed', 'rehearsed')];
    telemetry.metrics.decided(callOf('rls', 'shop', 1), { ...decisionOf('shadowed', ''), statuses, deciding: within });
    expect(sampleValue(await scrape(), DECISIONS, { policy: 'rehearsed', result: 'shadowed' })).toBe(1);
  });

  test('is the one that would have denied, were it not for SHADOW_MODE', async () => {
    const statuses = [statusOf('within_limit', 'enforced'), statusOf('over_limit', 'exceeded')];
    const decision = { ...decisionOf('shadowed', ''), statuses, deciding: statuses[0], globallyShadowed: true };
    telemetry.metrics.decided(callOf('rls', 'shop', 1), decision);
    expect(sampleValue(await scrape(), DECISIONS, { policy: 'exceeded', result: 'shadowed' })).toBe(1);
  });

  test('is the shadowed one while its limit is not exceeded', async () => {
    const statuses = [statusOf('within_limit', 'rehearsed')];
    telemetry.metrics.decided(callOf('rls', 'shop', 1), {
      ...decisionOf('within_limit', ''),
      statuses,
      deciding: undefined,
    });
    expect(sampleValue(await scrape(), DECISIONS, { policy: 'rehearsed', result: 'allowed' })).toBe(1);
  });

  test('is none when no limit applied', async () => {
    telemetry.metrics.decided(callOf('rls', 'shop', 1), {
      ...decisionOf('no_limit', ''),
      deciding: undefined,
      statuses: [],
    });
    expect(sampleValue(await scrape(), DECISIONS, { domain: 'shop', policy: 'none' })).toBe(1);
  });
});

test('a domain that no policy knows is counted as none', async () => {
  telemetry.metrics.decided(callOf('rls', undefined, 1), decisionOf('no_limit', 'none'));
  expect(sampleValue(await scrape(), DECISIONS, { domain: 'none' })).toBe(1);
});

test('labels hold whatever stands in a policy file', async () => {
  const domain = 'a "quoted"\nback\\slash, {brace}';
  telemetry.metrics.decided(callOf('rls', domain, 1), decisionOf('within_limit', 'x="y"'));
  expect(sampleValue(await scrape(), DECISIONS, { domain, policy: 'x="y"' })).toBe(1);
});

test('5,000 policies have series of their own and further ones share the series of the policy other', async () => {
  for (let index = 0; index < 5_100; index++) {
    telemetry.metrics.decided(callOf('rls', `domain ${index % 7}`, 1), decisionOf('within_limit', `policy ${index}`));
  }
  const text = await scrape();
  expect(samplesOf(text, DECISIONS)).toHaveLength(5_001);
  expect(sampleValue(text, DECISIONS, { policy: 'policy 4999' })).toBe(1);
  expect(sampleValue(text, DECISIONS, { domain: 'other', policy: 'other' })).toBe(100);
});

test.each(['headroom_rate_limiting_decision_duration_seconds', 'headroom_rate_limiting_store_duration_seconds'])(
  '%s tells 10 µs from 25 µs, and reaches to 1 s',
  async (name) => {
    for (const millis of [0.005, 0.02, 3, 2_000]) {
      telemetry.metrics.decided(callOf('rls', 'shop', millis), decisionOf('within_limit', 'api_key'));
      telemetry.metrics.storeCalled(millis, undefined);
    }
    const text = await scrape();
    const at = (le: string): number => sampleValue(text, `${name}_bucket`, { le });
    expect([at('0.00001'), at('0.000025'), at('0.0025'), at('0.005'), at('1'), at('+Inf')]).toEqual([1, 2, 2, 3, 3, 4]);
    expect(sampleValue(text, `${name}_count`)).toBe(4);
    expect(sampleValue(text, `${name}_sum`)).toBeCloseTo(2.003_025, 9);
  },
);

test.each<UndecidableCode>(['STORE_TIMEOUT', 'STORE_FAILED'])(
  'store errors with the code %s are counted from 0',
  async (code) => {
    const name = 'headroom_rate_limiting_store_errors_total';
    expect(samplesOf(await scrape(), name, { code })).toHaveLength(1);
    telemetry.metrics.storeCalled(1, new Undecidable(code, 'late'));
    expect(sampleValue(await scrape(), name, { code })).toBe(1);
  },
);

test('the breaker is 1 while it is open', async () => {
  const states: number[] = [];
  for (const open of [false, true, false]) {
    telemetry.metrics.breakerChanged(open);
    states.push(sampleValue(await scrape(), 'headroom_rate_limiting_store_breaker_open'));
  }
  expect(states).toEqual([0, 1, 0]);
});

test.each<[string, boolean]>([
  ['success', true],
  ['error', false],
])('policy loads with the result %s are counted from 0', async (result, loaded) => {
  expect(samplesOf(await scrape(), 'headroom_policy_loads_total', { result })).toHaveLength(1);
  telemetry.metrics.policiesLoaded(loaded);
  expect(sampleValue(await scrape(), 'headroom_policy_loads_total', { result })).toBe(1);
});

test('every metric has a type and says what it is', async () => {
  telemetry.metrics.decided(callOf('rls', 'shop', 1), decisionOf('within_limit', 'api_key'));
  telemetry.metrics.storeCalled(1, undefined);
  const families = [...parsePrometheus(await scrape()).values()];
  expect(Object.fromEntries(families.map(({ name, type }) => [name, type]))).toEqual({
    target_info: 'gauge',
    headroom_rate_limiting_decisions_total: 'counter',
    headroom_rate_limiting_decision_duration_seconds: 'histogram',
    headroom_rate_limiting_store_duration_seconds: 'histogram',
    headroom_rate_limiting_store_errors_total: 'counter',
    headroom_rate_limiting_store_breaker_open: 'gauge',
    headroom_policy_loads_total: 'counter',
  });
  for (const { help } of families) expect(help).not.toBe('');
});

test('once stopped, the metrics cannot be read: the answer is an error and not an empty page', async () => {
  await telemetry.shutdown();
  const response = await answer();
  expect(response.statusCode).toBe(500);
});

interface Written {
  statusCode: number;
  text: string;
}

/** What a scraper would get. */
async function scrape(): Promise<string> {
  return (await answer()).text;
}

function answer(): Promise<Written> {
  const request = new IncomingMessage(new Socket());
  const response = new ServerResponse(request);
  return new Promise((resolve) => {
    response.end = ((text: string) => {
      resolve({ statusCode: response.statusCode, text });
      return response;
    }) as typeof response.end;
    telemetry.prometheus.getMetricsRequestHandler(request, response);
  });
}

function callOf(door: Door, domain: string | undefined, durationMillis: number): ObservedCall {
  return { door, domain, requestedDomain: domain ?? 'unknown', durationMillis };
}

function decisionOf(reason: Reason, policy: string): Decision {
  const status = statusOf(reason, policy);
  return { allowed: true, reason, nowSeconds: 0, statuses: [status], deciding: status, globallyShadowed: false };
}

function statusOf(reason: Reason, policy: string): Status {
  const limit: Limit = {
    policy,
    statsKey: `shop.${policy}`,
    windows: [],
    charging: 'together',
    overdraft: false,
    shadow: reason === 'shadowed',
    quota: false,
    unlimited: false,
    detailed: false,
    name: '',
    replaces: [],
    metadata: undefined,
  };
  return { reason, limit, readings: [], reported: undefined, denies: false, quota: false, counted: undefined };
}
