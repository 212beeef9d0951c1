/** Callers choose names where detailed_metric does: their number is bounded, nothing that was counted is lost, no name is misread. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { domainName, limitName, limitStat, sanitised } from '../../../src/observability/stats/names.ts';
import { RecentMap } from '../../../src/observability/stats/recent-map.ts';
import { NAMES_MAX, StatsRegistry } from '../../../src/observability/stats/registry.ts';
import { statsObserver } from '../../../src/observability/stats/stats-observer.ts';
import { statsdForms } from '../../../src/observability/stats/statsd-lines.ts';
import { DURATIONS_MAX, Durations, StatsdSink } from '../../../src/observability/stats/statsd-sink.ts';
import { parsed } from './collector.ts';
import { callOf, decisionOf } from './decisions.ts';

/** A registry whose lines end here. */
function registryWith(send: (line: string) => void) {
  const sink = new StatsdSink(statsdForms({}), { send });
  const registry = new StatsRegistry({ sink, nearLimitRatio: 0.8 });
  return { registry, sink, observer: statsObserver(registry) };
}

/** Adds up counters by what stands behind the last dot of their names. A million of them leave no time for expressions. */
function totals() {
  const sums: Record<string, number> = {};
  const send = (line: string): void => {
    const colon = line.lastIndexOf(':');
    const stat = line.slice(line.lastIndexOf('.', colon) + 1, colon);
    sums[stat] = (sums[stat] ?? 0) + Number.parseInt(line.slice(colon + 1), 10);
  };
  return { sums, send };
}

describe('a million distinct values', () => {
  test('have their statistics sent to the last one, while 10,000 are kept, and the drops are counted', () => {
    const { sums, send } = totals();
    const { registry } = registryWith(send);
    const hit = { hits: 1, used: 1, max: 10, over: false, cached: false, shadow: false };
    for (let index = 0; index < 1_000_000; index++) registry.counted('d', { ...hit, statsKey: `d.user_${index}` });
    registry.flush();
    expect(sums).toEqual({ total_hits: 1_000_000, within_limit: 1_000_000, limits_dropped: 1_000_000 - NAMES_MAX });
  }, 60_000);

  test('as domains that no policy knows are bounded, too', () => {
    const { sums, send } = totals();
    const { registry, observer } = registryWith(send);
    for (let index = 0; index < 100_000; index++) {
      observer.decided(callOf(undefined, { requestedDomain: `domain ${index}` }), decisionOf(['a', 'b']));
    }
    registry.flush();
    expect(sums).toEqual({ domain_not_found: 200_000, domains_dropped: 100_000 - NAMES_MAX });
  });

  test('of 8 KiB each keep a few megabytes, not their number', () => {
    const { sums, send } = totals();
    const { registry, observer } = registryWith(send);
    for (let index = 0; index < 2_000; index++) {
      observer.decided(callOf('d'), decisionOf([`d.${'x'.repeat(8_000)}${index}`]));
    }
    registry.flush();
    expect(sums.total_hits).toBe(2_000);
    expect(sums.limits_dropped).toBeGreaterThan(1_300);
  });

  test('do not push out a limit that is in use', () => {
    const lines: string[] = [];
    const { registry, observer } = registryWith((line) => lines.push(line));
    for (let index = 0; index < 50_000; index++) {
      observer.decided(callOf('d'), decisionOf(['d.busy', `d.user_${index}`]));
    }
    expect(lines.filter((line) => line.includes('.busy.'))).toEqual([]);
    registry.flush();
    expect(lines).toContain('ratelimit.service.rate_limit.d.busy.total_hits:50000|c');
  });
});

describe('the map that forgets', () => {
  test('keeps what was asked for most recently, as a plain list would', () => {
    const keys = fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'eeee', 'ffff'), { maxLength: 60 });
    fc.assert(
      fc.property(keys, (asked) => {
        const dropped: string[] = [];
        const map = new RecentMap<string>({ entriesMax: 3, keyCharsMax: 6, onDrop: (value) => dropped.push(value) });
        let list: string[] = [];
        const gone: string[] = [];
        for (const key of asked) {
          const known = list.includes(key);
          expect(map.get(key)).toBe(known ? key : undefined);
          if (known) list = [...list.filter((each) => each !== key), key];
          else {
            while (list.length > 0 && (list.length >= 3 || list.join('').length + key.length > 6)) {
              gone.push(list.shift() as string);
            }
            list.push(key);
            map.add(key, key);
          }
          expect([...map.values()].sort()).toEqual([...list].sort());
        }
        expect(dropped).toEqual(gone);
      }),
    );
  });
});

describe('a name', () => {
  test.each<[text: string, name: string]>([
    ['10.0.0.1:80|x', '10_0_0_1_80_x'],
    ['a.b', 'a.b'],
    ['remote_address_255.255.255.255', 'remote_address_255_255_255_255'],
    ['masked_10.0.0.0/8', 'masked_10_0_0_0/8'],
    ['from 10.0.0.1 to 10.0.0.2', 'from 10_0_0_1 to 10_0_0_2'],
    ['1.2.3', '1.2.3'],
    ['::1', '__1'],
    ['a*', 'a*'],
    ['two\nlines\r', 'two_lines_'],
    ['nul\0 tab\t del\u007f nel\u0085 ls\u2028', 'nul_ tab_ del_ nel_ ls_'],
    ['ümläut 漢字 😀', 'ümläut 漢字 😀'],
    ['not utf-8 \udcff', 'not utf-8 \ufffd'],
    ['@0.1 #tag', '@0.1 #tag'],
    ['x.__admin=1', 'x___admin=1'],
    ['x.:|y', 'x___y'],
  ])('%j is sent as %j', (text, name) => {
    expect(sanitised(text)).toBe(name);
  });

  test('is of a domain and a key, each dot of the key beginning a part, those of the domain none', () => {
    const { full, parts } = limitStat(limitName('api.example.com', 'k_a.b'), 'total_hits');
    expect(full).toBe('ratelimit.service.rate_limit.api.example.com.k_a.b.total_hits');
    expect(parts).toEqual(['ratelimit', 'service', 'rate_limit', 'api.example.com', 'k_a', 'b', 'total_hits']);
    expect(domainName('a.b', 'domain_not_found').parts).toHaveLength(5);
  });

  test.each<[what: string, domain: string, key: string]>([
    ['letters', 'd'.repeat(8_192), 'k'.repeat(8_192)],
    ['characters of two and three bytes', 'ü'.repeat(8_192), '€'.repeat(8_192)],
    ['characters of four bytes', '😀'.repeat(8_192), `k${'😀'.repeat(8_192)}`],
    ['what is no Unicode', '\udcff'.repeat(8_192), '\udcff'.repeat(8_192)],
    ['a short domain', 'd', '€'.repeat(8_192)],
  ])('fits into a datagram: %s', (_what, domain, key) => {
    const { full } = limitStat(limitName(domain, key), 'over_limit_with_local_cache');
    expect(Buffer.byteLength(full)).toBeLessThanOrEqual(1_000 + 60);
    expect(Buffer.byteLength(full)).toBeGreaterThan(1_000 + 40);
    expect(full).toBe(full.toWellFormed());
    expect(Buffer.byteLength(domainName(domain, 'domain_not_found').full)).toBeLessThanOrEqual(500 + 60);
  });

  test.each(['__admin=1', '::admin=1', '.__admin=1', 'd.__admin=1'])(
    'is no tag, though a caller sends %j as a domain or a value',
    (text) => {
      expect(domainName(text, 'domain_not_found').full).not.toContain('.__');
      expect(limitName('d', `k_x${text}`).full).not.toContain('.__');
    },
  );

  test('is one line, whatever a caller puts into it', () => {
    const text = fc.string({ unit: 'binary', maxLength: 40 });
    fc.assert(
      fc.property(text, text, fc.boolean(), (domain, key, known) => {
        const lines: string[] = [];
        const { registry, observer } = registryWith((line) => lines.push(line));
        const requestedDomain = `x${domain}`;
        observer.decided(
          callOf(known ? requestedDomain : undefined, { requestedDomain }),
          decisionOf([`${requestedDomain}.${key}`]),
        );
        registry.flush();
        expect(lines).toHaveLength(known ? 2 : 1);
        for (const line of lines) {
          expect(parsed(line)).toMatchObject({ value: 1, type: 'c' });
          expect(Buffer.from(line).toString()).toBe(line);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('durations', () => {
  test('are all kept up to their number, with the rate 1', () => {
    const durations = new Durations();
    for (let millis = 1; millis <= DURATIONS_MAX; millis++) durations.add(millis);
    expect(durations.rate).toBe(1);
    expect(durations.take()).toEqual(Array.from({ length: DURATIONS_MAX }, (_, index) => index + 1));
  });

  test.each([2, 4, 8, 1_024])('of %d times as many, each of as many is kept, and the rate says so', (times) => {
    const durations = new Durations();
    for (let millis = 1; millis <= DURATIONS_MAX * times; millis++) durations.add(millis);
    expect(durations.rate).toBe(1 / times);
    expect(durations.take()).toEqual(Array.from({ length: DURATIONS_MAX }, (_, index) => (index + 1) * times));
    durations.add(5);
    expect([durations.rate, durations.take()]).toEqual([1, [5]]);
  });

  test('are told with their rate', () => {
    const lines: string[] = [];
    const { registry, sink } = registryWith((line) => lines.push(line));
    for (let call = 0; call < 3 * DURATIONS_MAX; call++) registry.called('ShouldRateLimit', 0.1374);
    sink.flushTimers();
    expect(lines).toHaveLength((3 * DURATIONS_MAX) / 4);
    expect(new Set(lines)).toEqual(new Set(['ratelimit_server.ShouldRateLimit.response_time:0.137|ms|@0.25']));
  });
});
