/** Opens connections to Redis, to one server, by Sentinel or to a Cluster: none queues while it is down, none gives up coming back. */
import { type Cluster, Redis } from 'ioredis';
import { PatientCluster } from './patient-cluster.ts';
import { Startup, type StartupTimes } from './startup.ts';
import { type RedisTls, tlsOptions } from './tls.ts';

export interface RedisEndpoint {
  readonly host?: string;
  readonly port?: number;
  /** A unix socket instead of host and port; only for a single server. */
  readonly path?: string;
}

export interface RedisAuth {
  readonly username?: string;
  readonly password: string;
}

export type RedisTopology =
  | { readonly type: 'single'; readonly endpoint: RedisEndpoint }
  /** Any of its nodes: the others are learned from them. */
  | { readonly type: 'cluster'; readonly nodes: readonly RedisEndpoint[] }
  | {
      readonly type: 'sentinel';
      readonly master: string;
      readonly sentinels: readonly RedisEndpoint[];
      /** Of the sentinels. */
      readonly auth?: RedisAuth;
    };

/** Where and as whom. */
export interface RedisOptions {
  readonly topology: RedisTopology;
  readonly auth?: RedisAuth;
  /** A Cluster has 0 alone. */
  readonly db?: number;
  /** Of sentinels, too. */
  readonly tls?: RedisTls;
  /** How long one attempt to connect may take (REDIS_TIMEOUT). */
  readonly dialTimeoutMillis: number;
  /** REDIS_STARTUP_*: until the first connection is there. */
  readonly startup: StartupTimes;
}

export interface RedisEvents {
  /** Told once when a connection is lost, not at every attempt to get it back. */
  readonly onLost: (error: Error) => void;
  /** And once when all are back. */
  readonly onBack: () => void;
  /** The startup times are over without a connection. Called at most once; attempts go on. */
  readonly onGiveUp?: (error: Error) => void;
  readonly pool?: PoolEvents;
}

/** Of each connection to a node that serves commands; those that sentinels and the map of slots are asked by do not count. */
export interface PoolEvents {
  opened(): void;
  closed(): void;
  /** It takes commands: whoever logs in is let in, and the server has its data. */
  ready(): void;
  /** What was ready is no more. */
  unready(): void;
}

/** A way to Redis, whatever its topology. */
export interface RedisConnection {
  /** Takes commands by their keys, and fails them at once while there is no connection. */
  readonly client: Redis | Cluster;
  /** Keys of one script or transaction must be of one slot. */
  readonly isCluster: boolean;
  /**
   * What is sent after it in the same turn of the event loop leaves in one write for each node.
   * @param atEnd sends the last of it, when the turn has read its sockets
   */
  joinTurn(atEnd?: () => void): void;
  /** Commands that wait are failed. */
  close(): void;
}

// Twice the longest turn of the event loop that a starved machine has shown: a stall must not look like silence.
const SILENCE_MILLIS_MAX = 10_000;
// What is closed waits so long for the other side to close, too.
const DISCONNECT_MILLIS_MAX = 100;
// A sentinel that accepts connections and says nothing must not keep the others from being asked.
const SENTINEL_ANSWER_MILLIS_MAX = 1_000;
const SENTINEL_RECONNECT_MILLIS = 1_000;
// A frozen primary says nothing of its successor, and nobody redirects what is sent to it: the map has to be asked for.
const SLOTS_REFRESH_MILLIS = 2_000;
// What needs several keys of a slot that moves just now is asked again about four times, which leaves it within a deadline of 100 ms.
const TRY_AGAIN_MILLIS = 20;

/**
 * Does not wait for the connection: until it is there, commands fail at once.
 * @throws Error naming the variable whose file cannot be used for TLS
 */
export function openRedis(options: RedisOptions, events: RedisEvents): RedisConnection {
  const startup = new Startup(options.startup, (error) => events.onGiveUp?.(error));
  const watch = new Watch(startup, events);
  return options.topology.type === 'cluster'
    ? openCluster(options, options.topology.nodes, startup, watch)
    : openServer(options, startup, watch);
}

function openServer(options: RedisOptions, startup: Startup, watch: Watch): RedisConnection {
  const { topology, db, tls } = options;
  const client = new Redis({
    ...clientOptions(options),
    ...(topology.type === 'single' ? topology.endpoint : {}),
    ...(topology.type === 'sentinel' ? sentinelOptions(topology, tls, startup) : {}),
    ...(db === undefined ? {} : { db }),
    retryStrategy: (times: number) => startup.delayMillis(times),
    enableOfflineQueue: false,
  });
  watch.node(client, () => {
    startup.connected();
    watch.back();
  });
  return {
    client,
    isCluster: false,
    joinTurn: oneWritePerTurn(() => [client]),
    close: () => watch.close(client),
  };
}

/** What holds for every connection to a node that serves commands. */
function clientOptions({ auth, tls, dialTimeoutMillis }: RedisOptions) {
  return {
    ...auth,
    ...(tls === undefined ? {} : { tls: tlsOptions(tls) }),
    connectTimeout: dialTimeoutMillis,
    socketTimeout: SILENCE_MILLIS_MAX,
    disconnectTimeout: DISCONNECT_MILLIS_MAX,
    // A charge that waited for a connection would be made long after its caller was answered.
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    // A demoted primary keeps its connections: only a new one finds the new primary behind the same name.
    reconnectOnError: (error: Error) => error.message.includes('READONLY'),
    disableClientInfo: true,
    protocol: 2 as const,
    replyMapping: 'legacy' as const,
    // The client's own numbers are off by one near 2^53.
    stringNumbers: true,
  };
}

function sentinelOptions(
  { master, sentinels, auth }: Extract<RedisTopology, { type: 'sentinel' }>,
  tls: RedisOptions['tls'],
  startup: Startup,
) {
  return {
    name: master,
    sentinels: sentinels.map(({ host = '127.0.0.1', port = 26_379 }) => ({ host, port })),
    ...(auth?.username === undefined ? {} : { sentinelUsername: auth.username }),
    ...(auth === undefined ? {} : { sentinelPassword: auth.password }),
    ...(tls === undefined ? {} : { sentinelTLS: tlsOptions(tls), enableTLSForSentinelMode: true }),
    sentinelRetryStrategy: (times: number) => startup.delayMillis(times),
    sentinelCommandTimeout: SENTINEL_ANSWER_MILLIS_MAX,
    // A primary whose host is gone says nothing: sentinels tell that it has a successor.
    failoverDetector: true,
    sentinelReconnectStrategy: () => SENTINEL_RECONNECT_MILLIS,
  };
}

function openCluster(
  options: RedisOptions,
  nodes: readonly RedisEndpoint[],
  startup: Startup,
  watch: Watch,
): RedisConnection {
  const startupNodes = nodes.map(({ host = '127.0.0.1', port = 6_379 }) => ({ host, port }));
  const client = new PatientCluster(startupNodes, {
    ...clusterOptions(startup),
    redisOptions: clientOptions(options),
    lazyConnect: true,
  });
  const primaries = () => client.nodes('master');
  const backIfWhole = () => {
    if (isWhole(client)) watch.back();
  };
  client.on('+node', (node: Redis) => {
    watch.node(node, backIfWhole);
    asksForSlotsInNumbers(node);
    // Otherwise the first command would wait for the connection, and those behind it would fail.
    if (!node.options.readOnly) node.connect().catch(ignore);
  });
  // Nodes are watched one by one. This one is of the attempts to learn the slots from any of them.
  client.on('error', (error) => watch.lost(withCause(error)));
  // A server that is in no Cluster takes connections, too.
  client.on('ready', () => startup.connected());
  client.on('ready', backIfWhole);
  // What is missed may have lost its slots to others.
  client.on('refresh', backIfWhole);
  client.connect().catch(ignore);
  return {
    client,
    isCluster: true,
    joinTurn: oneWritePerTurn(primaries),
    close: () => watch.close(client),
  };
}

/** Whether everybody is connected to who has slots by the map: ioredis forgets a node that is lost until it renews that. */
function isWhole(client: Cluster): boolean {
  const ready = client.nodes('master').filter(({ status }) => status === 'ready');
  const reached = new Set(ready.map(({ options: { host, port } }) => `${host}:${port}`));
  return client.status === 'ready' && client.slots.every(([owner]) => owner !== undefined && reached.has(owner));
}

/** What ioredis says of its attempt to ask all nodes, and what the last of them said. */
function withCause(error: Error & { readonly lastNodeError?: Error | null }): Error {
  const { lastNodeError } = error;
  if (!lastNodeError) return error;
  // Redis repeats the arguments of a command that it does not know.
  return new Error(`${error.message} ${lastNodeError.message.replace(/,? with args beginning with.*/s, '')}`);
}

/** Only what was refused without having been run is sent again: redirected, or of a slot that moves. */
function clusterOptions(startup: Startup) {
  return {
    clusterRetryStrategy: (times: number) => startup.delayMillis(times),
    enableOfflineQueue: false,
    // It would be asked of any node, also of one that is not connected to yet. What is down says so when it is asked for.
    enableReadyCheck: false,
    // 0: not at all. A lost connection may have taken the charge with it, or have made it.
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    retryDelayOnTryAgain: TRY_AGAIN_MILLIS,
    // A name is not made an address before it is connected to: a certificate may be of the name.
    dnsLookup: (name: string, callback: (error: null, address: string) => void) => callback(null, name),
    slotsRefreshInterval: SLOTS_REFRESH_MILLIS,
    scaleReads: 'master' as const,
  };
}

/** The client compares the slots of its map as numbers: with `stringNumbers`, '5461' would come after '10922'. */
function asksForSlotsInNumbers(node: Redis): void {
  const duplicate = node.duplicate.bind(node);
  node.duplicate = (override) => duplicate({ ...override, stringNumbers: false });
}

/** Follows connections, and tells what becomes of them. */
class Watch {
  readonly #startup: Startup;
  readonly #events: RedisEvents;
  #isLost = false;

  constructor(startup: Startup, events: RedisEvents) {
    this.#startup = startup;
    this.#events = events;
  }

  node(redis: Redis, onReady: () => void): void {
    const { pool } = this.#events;
    let isOpen = false;
    let isReady = false;
    redis.on('connect', () => {
      isOpen = true;
      pool?.opened();
    });
    redis.on('close', () => {
      if (isReady) pool?.unready();
      if (isOpen) pool?.closed();
      isOpen = false;
      isReady = false;
    });
    redis.on('error', (error) => this.lost(error));
    redis.on('ready', () => {
      isReady = true;
      pool?.ready();
      onReady();
    });
  }

  lost(error: Error): void {
    this.#startup.failed(error);
    if (!this.#isLost) this.#events.onLost(error);
    this.#isLost = true;
  }

  /** Nothing is missed any more. */
  back(): void {
    if (this.#isLost) this.#events.onBack();
    this.#isLost = false;
  }

  close(client: Redis | Cluster): void {
    this.#startup.stop();
    client.disconnect();
  }
}

/**
 * Commands of one turn of the event loop leave in one write: a write of its own would cost each as much again, here
 * and in Redis.
 * @returns what is to be called before every command, see RedisConnection.joinTurn
 */
function oneWritePerTurn(nodes: () => readonly Redis[]): (atEnd?: () => void) => void {
  let isJoined = false;
  let ends: (() => void)[] = [];
  return (atEnd) => {
    if (atEnd !== undefined) ends.push(atEnd);
    if (isJoined) return;
    isJoined = true;
    // Before the first connection there is none.
    const streams = nodes().flatMap(({ stream }) => stream ?? []);
    for (const stream of streams) stream.cork();
    const leave = (): void => {
      const now = ends;
      ends = [];
      for (const end of now) end();
      isJoined = false;
      for (const stream of streams) stream.uncork();
    };
    // After one more look at the sockets: what other gateways have sent meanwhile joins what waits. It waits no longer than
    // that look takes, and Redis and this process need a tenth less.
    setImmediate(() => setImmediate(leave));
  };
}

/** What goes wrong is told by events. */
function ignore(): void {}
