/** Starts and stops the statistics of envoyproxy/ratelimit: a registry, and the one sink that is named. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Log } from '../../ports/log.ts';
import type { RequestObserver } from '../../ports/observer.ts';
import { Complaints } from './complaints.ts';
import type { DogStatsdConfig, PrometheusConfig, StatsConfig, StatsdConfig } from './config.ts';
import { extraLabels } from './extra-labels.ts';
import { GuardedSink } from './guarded-sink.ts';
import { defaultMappings } from './prometheus-mapping.ts';
import { openPage } from './prometheus-page.ts';
import { PrometheusSink } from './prometheus-sink.ts';
import { type LocalCacheGauges, type Pool, type PoolEvents, StatsRegistry } from './registry.ts';
import { statsObserver } from './stats-observer.ts';
import { dogStatsdForms, type LineForms, statsdForms } from './statsd-lines.ts';
import { StatsdSink } from './statsd-sink.ts';
import { TcpTransport, type TcpTransportOptions } from './tcp.ts';
import { UdpTransport } from './udp.ts';

export interface StatsOptions {
  readonly config: StatsConfig;
  /** NEAR_LIMIT_RATIO */
  readonly nearLimitRatio: number;
  readonly log: Log;
  /** Headroom's own metrics in Prometheus's text format, for the same page. */
  readonly metricsText: () => Promise<string>;
  /** Where Prometheus's page is served, if not at a port of this process. */
  readonly openPage?: typeof openPage | undefined;
}

export interface Stats {
  /** To be told of every request, beside Headroom's own metrics. */
  readonly observer: RequestObserver;
  /** Of Prometheus's page; undefined for other sinks. */
  readonly port: number | undefined;
  /** Once for every call of the gRPC port. @param method its name without the service: `ShouldRateLimit`, `Check` */
  onCall(method: string, millis: number): void;
  /** An attempt to load the policy files has ended. */
  policiesLoaded(loaded: boolean): void;
  /** To be called once for each pool that there is. @returns what is told of its connections */
  pool(pool: Pool): PoolEvents;
  /** To be called once if there is a local cache. */
  localCache(read: () => LocalCacheGauges): void;
  /** Sends what was counted since the last time, as happens by itself all the time. */
  flush(): void;
  /** Sends what is still held. Never fails, and settles within a second: statistics must not keep a process alive. */
  shutdown(): Promise<void>;
}

/** Where the registry's statistics go, once there is a registry. */
interface Outlet {
  readonly registry: StatsRegistry;
  readonly port: number | undefined;
  flush(): void;
  shutdown(): Promise<void>;
}

/** @throws StatsConfigError, PageListenError: nothing is left open then */
export async function startStats(options: StatsOptions): Promise<Stats> {
  const { config } = options;
  const outlet = config.sink === 'prometheus' ? await scraped(options, config) : await sent(options, config);
  const { registry, port } = outlet;
  return {
    observer: statsObserver(registry),
    port,
    onCall: (method, millis) => registry.called(method, millis),
    policiesLoaded: (loaded) => (loaded ? registry.configLoadSuccess : registry.configLoadError).add(1),
    pool: (pool) => registry.pool(pool),
    localCache: (read) => registry.localCache(read),
    flush: () => outlet.flush(),
    shutdown: () => outlet.shutdown(),
  };
}

async function sent(options: StatsOptions, config: StatsdConfig | DogStatsdConfig): Promise<Outlet> {
  const { log, nearLimitRatio } = options;
  const { host, port } = config;
  const forms = await formsOf(config);
  const { failed } = new Complaints(log);
  let dropped = 0;
  const transportOptions: TcpTransportOptions = {
    host,
    port,
    onDropped: (lines) => {
      dropped += lines;
    },
    onFailure: failed,
    onAway: (err) => log.warn({ host, port, err }, 'the collector of statistics cannot be reached, trying again'),
    onBack: () => log.info({ host, port }, 'the collector of statistics is back'),
  };
  const isTcp = config.sink === 'statsd' && config.protocol === 'tcp';
  const transport = isTcp ? new TcpTransport(transportOptions) : new UdpTransport(transportOptions);
  const sink = new StatsdSink(forms, transport);
  const registry = new StatsRegistry({ sink: new GuardedSink(sink, failed), nearLimitRatio });
  const linesDropped = registry.counter('headroom.stats.lines_dropped');
  let isDropping = false;
  const sendAll = (): void => {
    sink.flushTimers();
    transport.flush();
    if (dropped > 0 && !isDropping) {
      log.warn({ host, lines: dropped }, 'the collector of statistics does not take them: some are lost');
    }
    isDropping = dropped > 0;
    linesDropped.add(dropped);
    dropped = 0;
  };
  const flush = (): void => {
    registry.flush();
    sendAll();
  };
  const timer = setInterval(() => {
    flushInTurns(registry)
      .then(sendAll)
      .catch((error: unknown) => failed('a flush', error));
  }, config.flushMillis);
  timer.unref();
  return {
    registry,
    port: undefined,
    flush,
    async shutdown() {
      clearInterval(timer);
      try {
        flush();
      } catch (error) {
        failed('a flush', error);
      }
      await transport.close();
    },
  };
}

async function flushInTurns(registry: StatsRegistry): Promise<void> {
  for (const _ of registry.flushing()) await nextTurn();
}

/** RE2 is loaded only where patterns are to be matched. */
async function formsOf(config: StatsdConfig | DogStatsdConfig): Promise<LineForms> {
  if (config.sink === 'statsd') return statsdForms(config.extraTags);
  if (config.mogrifiers.length === 0) return dogStatsdForms(config.extraTags, (name) => ({ name, tags: [] }));
  const { mogrifierOf } = await import('./mogrifiers.ts');
  return dogStatsdForms(config.extraTags, mogrifierOf(config.mogrifiers));
}

async function scraped(options: StatsOptions, config: PrometheusConfig): Promise<Outlet> {
  const { mapperYamlPath, extraTags, responseTimeAsMilliseconds, host, port, path } = config;
  const mappings =
    mapperYamlPath === undefined ? defaultMappings : (await import('./mapper-yaml.ts')).readMappings(mapperYamlPath);
  const sink = new PrometheusSink({
    mapping: mappings.seriesOf,
    labels: extraLabels(extraTags, mappings.labels),
    inMilliseconds: responseTimeAsMilliseconds,
  });
  const { failed } = new Complaints(options.log);
  const registry = new StatsRegistry({
    sink: new GuardedSink(sink, failed),
    nearLimitRatio: options.nearLimitRatio,
  });
  const page = await (options.openPage ?? openPage)({
    host,
    port,
    path,
    text: async () => {
      await flushInTurns(registry);
      let text = '';
      for (const piece of sink.pieces()) {
        text += piece;
        await nextTurn();
      }
      return text + (await options.metricsText());
    },
  });
  return { registry, port: page.port, flush: () => registry.flush(), shutdown: () => page.close() };
}
