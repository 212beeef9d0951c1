/** What is counted, under the names of envoyproxy/ratelimit. Where it goes is the sink's matter. */
import type { Counted } from '../../core/decision.ts';
import { type Tally, tallyOf } from '../../core/tally.ts';
import { domainName, type LimitName, limitName, limitStat, methodName, type StatName, serviceName } from './names.ts';
import { RecentMap } from './recent-map.ts';
import type { StatsSink } from './sink.ts';

/** Limits, and domains that no policy knows, have statistics of their own up to so many; callers can make more. */
export const NAMES_MAX = 10_000;
/** Of all their names together: 10,000 of ordinary length are a tenth of it. */
export const NAME_CHARS_MAX = 5_000_000;

/** What is flushed in one turn: half a millisecond. */
const NAMES_AT_ONCE = 500;

export interface RegistryOptions {
  readonly sink: StatsSink;
  /** NEAR_LIMIT_RATIO */
  readonly nearLimitRatio: number;
}

/** What became of one connection pool. */
export interface PoolEvents {
  opened(): void;
  closed(): void;
}

export type Pool = 'redis_pool' | 'redis_per_second_pool';

const LOCAL_CACHE_GAUGES = [
  'evacuateCount',
  'expiredCount',
  'entryCount',
  'averageAccessTime',
  'hitCount',
  'missCount',
  'lookupCount',
  'overwriteCount',
] as const;

/** What the local cache says of itself, under the names of the reference's. */
export type LocalCacheGauges = Readonly<Record<(typeof LOCAL_CACHE_GAUGES)[number], number>>;

export class StatsRegistry {
  readonly #options: RegistryOptions;
  readonly #limits: RecentMap<LimitCounts>;
  readonly #unknownDomains: RecentMap<Counter>;
  readonly #methods = new Map<string, Method>();
  readonly #counters: Counter[] = [];
  readonly #gauges: (() => void)[] = [];
  readonly redisError = this.counter('ratelimit.service.call.should_rate_limit.redis_error');
  readonly serviceError = this.counter('ratelimit.service.call.should_rate_limit.service_error');
  readonly configLoadSuccess = this.counter('ratelimit.service.config_load_success');
  readonly configLoadError = this.counter('ratelimit.service.config_load_error');
  readonly globalShadowMode = this.counter('ratelimit.service.global_shadow_mode');
  readonly #limitsDropped = this.counter('headroom.stats.limits_dropped');
  readonly #domainsDropped = this.counter('headroom.stats.domains_dropped');

  constructor(options: RegistryOptions) {
    this.#options = options;
    const { sink } = options;
    const bounds = { entriesMax: NAMES_MAX, keyCharsMax: NAME_CHARS_MAX };
    this.#limits = new RecentMap<LimitCounts>({
      ...bounds,
      onDrop: (counts) => {
        this.#limitsDropped.add(1);
        counts.flush(sink);
        counts.forget(sink);
      },
    });
    this.#unknownDomains = new RecentMap<Counter>({
      ...bounds,
      onDrop: (counter) => {
        this.#domainsDropped.add(1);
        counter.flush(sink);
        sink.forget(counter.name);
      },
    });
  }

  /** One hit on a limit of this domain. */
  counted(domain: string, counted: Counted): void {
    this.#countsOf(domain, counted.statsKey).add(tallyOf(counted, this.#options.nearLimitRatio));
  }

  /** Hits that nobody could count. @param hits negative for a refund, which is none */
  attempted(domain: string, statsKey: string, hits: number): void {
    this.#countsOf(domain, statsKey).totalHits += Math.max(0, hits);
  }

  /** `a.b` and the key `c` have the name of `a` and `b.c`: the second one has its domain before it, which takes time. */
  #countsOf(domain: string, statsKey: string): LimitCounts {
    let key = statsKey;
    let counts = this.#limits.get(key);
    if (counts !== undefined && counts.domain !== domain) {
      key = `${domain}\n${statsKey}`;
      counts = this.#limits.get(key);
    }
    if (counts !== undefined) return counts;
    const added = new LimitCounts(domain, statsKey);
    this.#limits.add(key, added);
    return added;
  }

  domainNotFound(domain: string, descriptors: number): void {
    let counter = this.#unknownDomains.get(domain);
    if (counter === undefined) {
      counter = new Counter(domainName(domain, 'domain_not_found'));
      this.#unknownDomains.add(domain, counter);
    }
    counter.add(descriptors);
  }

  /** @param method one of those that are served: each has series of its own */
  called(method: string, millis: number): void {
    let stats = this.#methods.get(method);
    if (stats === undefined) {
      const totalRequests = this.#keep(new Counter(methodName(method, 'total_requests')));
      stats = { totalRequests, responseTime: this.#options.sink.timer(methodName(method, 'response_time')) };
      this.#methods.set(method, stats);
    }
    stats.totalRequests.add(1);
    stats.responseTime(millis);
  }

  pool(pool: Pool): PoolEvents {
    const total = this.counter(`ratelimit.${pool}.cx_total`);
    const localClose = this.counter(`ratelimit.${pool}.cx_local_close`);
    let active = 0;
    this.#gauge(`ratelimit.${pool}.cx_active`, () => active);
    return {
      opened() {
        active += 1;
        total.add(1);
      },
      closed() {
        active -= 1;
        localClose.add(1);
      },
    };
  }

  /** @param read called at every flush */
  localCache(read: () => LocalCacheGauges): void {
    for (const gauge of LOCAL_CACHE_GAUGES) this.#gauge(`ratelimit.localcache.${gauge}`, () => read()[gauge]);
  }

  /** A counter with a name that is in no caller's hand. */
  counter(name: string): Counter {
    return this.#keep(new Counter(serviceName(name)));
  }

  /** Gives the sink what was counted since the last time, and every gauge. */
  flush(): void {
    for (const _ of this.flushing());
  }

  /** The same, piece by piece, so that decisions need not wait for ten thousand names. What comes meanwhile may be in it. */
  *flushing(): Generator<void> {
    const { sink } = this.#options;
    for (const counter of this.#counters) counter.flush(sink);
    for (const gauge of this.#gauges) gauge();
    for (const names of [this.#unknownDomains, this.#limits]) {
      // No more than there are now: callers that go on making names must not keep this from its end.
      let left = names.size;
      for (const counts of names.values()) {
        counts.flush(sink);
        left -= 1;
        if (left === 0) break;
        if (left % NAMES_AT_ONCE === 0) yield;
      }
    }
  }

  #gauge(name: string, read: () => number): void {
    const { sink } = this.#options;
    const stat = serviceName(name);
    this.#gauges.push(() => sink.gauge(stat, read));
  }

  #keep(counter: Counter): Counter {
    this.#counters.push(counter);
    return counter;
  }
}

interface Method {
  readonly totalRequests: Counter;
  readonly responseTime: (millis: number) => void;
}

/** Counts until it is flushed. */
export class Counter {
  readonly name: StatName;
  #unflushed = 0;

  constructor(name: StatName) {
    this.name = name;
  }

  add(by: number): void {
    this.#unflushed += by;
  }

  flush(sink: StatsSink): void {
    const by = this.#unflushed;
    if (by === 0) return;
    this.#unflushed = 0;
    sink.counter(this.name, by);
  }
}

/** The statistics of a limit, by the field of the tally that they add up. */
const LIMIT_STATS = [
  ['totalHits', 'total_hits'],
  ['overLimit', 'over_limit'],
  ['nearLimit', 'near_limit'],
  ['overLimitWithLocalCache', 'over_limit_with_local_cache'],
  ['withinLimit', 'within_limit'],
  ['shadowMode', 'shadow_mode'],
] as const satisfies readonly (readonly [keyof Tally, string])[];

type LimitStat = (typeof LIMIT_STATS)[number];

/** The statistics of one limit. They have names only once they are not 0: most limits are never exceeded. */
class LimitCounts implements Tally {
  totalHits = 0;
  overLimit = 0;
  nearLimit = 0;
  overLimitWithLocalCache = 0;
  withinLimit = 0;
  shadowMode = 0;
  readonly domain: string;
  readonly #statsKey: string;
  /** In the order of LIMIT_STATS. */
  #names: (StatName | undefined)[] | undefined;
  #name: LimitName | undefined;

  constructor(domain: string, statsKey: string) {
    this.domain = domain;
    this.#statsKey = statsKey;
  }

  add(tally: Tally): void {
    this.totalHits += tally.totalHits;
    this.overLimit += tally.overLimit;
    this.nearLimit += tally.nearLimit;
    this.overLimitWithLocalCache += tally.overLimitWithLocalCache;
    this.withinLimit += tally.withinLimit;
    this.shadowMode += tally.shadowMode;
  }

  flush(sink: StatsSink): void {
    for (let index = 0; index < LIMIT_STATS.length; index++) {
      const [field] = LIMIT_STATS[index] as LimitStat;
      const by = this[field];
      if (by === 0) continue;
      this[field] = 0;
      sink.counter(this.#nameAt(index), by);
    }
  }

  forget(sink: StatsSink): void {
    for (const name of this.#names ?? []) if (name !== undefined) sink.forget(name);
  }

  #nameAt(index: number): StatName {
    this.#names ??= LIMIT_STATS.map(() => undefined);
    let name = this.#names[index];
    if (name === undefined) {
      this.#name ??= limitName(this.domain, keyIn(this.domain, this.#statsKey));
      name = limitStat(this.#name, (LIMIT_STATS[index] as LimitStat)[1]);
      this.#names[index] = name;
    }
    return name;
  }
}

/** A limit's name begins with its domain. Told apart here, since a domain may have dots of its own. */
function keyIn(domain: string, statsKey: string): string {
  return statsKey.startsWith(`${domain}.`) ? statsKey.slice(domain.length + 1) : statsKey;
}
