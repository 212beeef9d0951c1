/** The environment variables about what surrounds decisions: policies, ports, processes, the log, keys, statistics, tracing, the end. */
import type { Variables } from './variable.ts';

// A timer of Node holds 31 bits of milliseconds: beyond, it fires at once.
const TIMER_MAX = '24h';
// As many cores as the machines of gateways have. Each worker has connections of Redis, and a heap, of its own.
const WORKERS_MAX = '64';

export const POLICIES = {
  POLICY_PATH: {
    kind: 'text',
    does: 'a policy file, or a directory of them: [policy-language.md](policy-language.md)',
  },
  CONFIG_TYPE: {
    kind: 'enum',
    values: ['FILE'],
    refused: { GRPC_XDS_SOTW: 'is refused: policies over xDS are not offered yet' },
    default: 'FILE',
    does: 'where policies come from',
  },
  RUNTIME_ROOT: {
    kind: 'text',
    default: '/srv/runtime_data/current',
    does: "the reference's directory of policies: `RUNTIME_ROOT/RUNTIME_SUBDIRECTORY/RUNTIME_APPDIRECTORY`, used once any `RUNTIME_*` variable is set",
  },
  RUNTIME_SUBDIRECTORY: {
    kind: 'text',
    default: '',
    does: 'its second part; required with `RUNTIME_WATCH_ROOT=true`',
  },
  RUNTIME_APPDIRECTORY: { kind: 'text', default: 'config', does: 'its third part' },
  RUNTIME_WATCH_ROOT: {
    kind: 'bool',
    default: 'true',
    does: 'true: policies are read anew when the symbolic link `RUNTIME_ROOT` is exchanged; false: when a file in the directory changes',
  },
  RUNTIME_IGNOREDOTFILES: {
    kind: 'bool',
    default: 'false',
    does: 'files and directories whose names begin with a dot are no policies; for the volumes of Kubernetes ConfigMaps',
  },
  MERGE_DOMAIN_CONFIG: { kind: 'bool', default: 'false', does: 'several files may hold rules of one domain' },
  FORCE_START_WITHOUT_INITIAL_CONFIG: {
    kind: 'bool',
    default: 'false',
    does: 'the service starts, and calls fail, while there are no policies that can be used; otherwise what is missing, and of POLICY_PATH what cannot be used, ends it',
  },
  HEALTHY_WITH_AT_LEAST_ONE_CONFIG_LOADED: {
    kind: 'bool',
    default: 'false',
    does: 'health needs a policy in force',
  },
} as const satisfies Variables;

export const LISTENING = {
  HOST: { kind: 'text', default: '0.0.0.0', does: 'address of the HTTP port' },
  PORT: {
    kind: 'port',
    default: '8080',
    does: 'HTTP: `/v1/check`, `/json`, health, `/openapi.json`, `/docs`, and with `ADMIN_TOKEN` `/v1/keys`',
  },
  GRPC_HOST: { kind: 'text', default: '0.0.0.0', does: 'address of the gRPC port' },
  GRPC_PORT: { kind: 'port', default: '8081', does: 'gRPC over HTTP/2, and gRPC-Web and Connect over HTTP/1.1' },
  GRPC_UDS: { kind: 'text', does: 'path of a unix socket for gRPC instead of the port' },
  GRPC_TRANSPORT: {
    kind: 'enum',
    values: ['lean', 'node'],
    default: 'lean',
    does: "who speaks HTTP/2 on the gRPC port: this service's own server, or Node's, at many times the cost",
  },
  GRPC_SERVER_USE_TLS: { kind: 'bool', default: 'false', does: 'TLS on the gRPC port' },
  GRPC_SERVER_TLS_CERT: {
    kind: 'text',
    does: 'file of its certificate, the chain included; read anew when it changes',
  },
  GRPC_SERVER_TLS_KEY: { kind: 'text', does: 'file of its private key' },
  GRPC_CLIENT_TLS_CACERT: {
    kind: 'text',
    does: 'file of the certificate authorities that clients need a certificate of; without it they need none',
  },
  GRPC_CLIENT_TLS_SAN: { kind: 'text', does: "DNS name that a client's certificate must be valid for" },
  GRPC_MAX_CONNECTION_AGE: {
    kind: 'duration',
    default: '24h',
    does: 'connections are asked to end after it, give or take a tenth; 0: never. More than 20 days count as 20',
  },
  GRPC_MAX_CONNECTION_AGE_GRACE: {
    kind: 'duration',
    default: '1h',
    does: 'how long their calls may then take; 0: as long as they like. More than 20 days count as 20',
  },
  DEBUG_HOST: {
    kind: 'text',
    default: '127.0.0.1',
    does: 'address of the debug port; keep it off public networks. On a loopback address it answers only who calls it `localhost` or by such an address',
  },
  DEBUG_PORT: { kind: 'port', default: '6070', does: '`/metrics`, `/rlconfig`, `/stats`' },
  DEBUG_PROFILING: {
    kind: 'bool',
    default: 'false',
    does: '`/debug/pprof/profile` and `/debug/pprof/heap` on the debug port; only with `DEBUG_HOST` on this machine alone',
  },
} as const satisfies Variables;

export const PROCESSES = {
  WORKERS: {
    kind: 'integer',
    from: '1',
    to: WORKERS_MAX,
    default: '1',
    does: 'how many processes share the ports, one for each core that is to decide; more than 1 need Redis: [operations.md](operations.md#several-cores)',
  },
} as const satisfies Variables;

export const LOGGING = {
  LOG_LEVEL: {
    kind: 'enum',
    values: ['trace', 'debug', 'info', 'warn', 'warning', 'error', 'fatal', 'panic'],
    default: 'WARN',
    does: 'what is less important is not logged',
  },
  LOG_FORMAT: {
    kind: 'enum',
    values: ['text', 'json'],
    default: 'text',
    does: '`text`: `time="…" level=… msg="…" key=value`; `json`: objects with `@timestamp`, `@message`, `level` and the fields',
  },
} as const satisfies Variables;

export const KEYS = {
  ADMIN_TOKEN: {
    kind: 'text',
    secret: true,
    does: 'tokens, separated by commas, of those who may administer API keys at `/v1/keys`; without any the whole API is 404: [below](#admin_token)',
  },
  API_KEY_HASH_SECRET: {
    kind: 'text',
    secret: true,
    does: 'API keys are hashed by HMAC-SHA-256 with it instead of by SHA-256; the same on all replicas: [below](#changing-api_key_hash_secret)',
  },
  API_KEY_HASH_SECRET_PREVIOUS: {
    kind: 'text',
    secret: true,
    does: 'a second secret whose hashes are recognised, while the first is being changed',
  },
} as const satisfies Variables;

export const STATS = {
  USE_STATSD: { kind: 'bool', default: 'false', does: 'statistics go to a statsd' },
  STATSD_HOST: { kind: 'text', default: 'localhost', does: 'where it is, or the DogStatsD' },
  STATSD_PORT: { kind: 'port', from: '1', default: '8125', does: 'its port' },
  STATSD_PROTOCOL: {
    kind: 'enum',
    values: ['tcp', 'udp'],
    default: 'tcp',
    does: 'how statsd is spoken to; DogStatsD always by UDP',
  },
  USE_DOG_STATSD: { kind: 'bool', default: 'false', does: 'statistics go to a DogStatsD, with tags' },
  USE_DOG_STATSD_MOGRIFIERS: {
    kind: 'list',
    default: '',
    does: 'names of rules that make tags of parts of names, each told by `DOG_STATSD_MOGRIFIER_<NAME>_PATTERN`, `_NAME` and `_TAGS`: [below](#dogstatsd)',
  },
  USE_PROMETHEUS: {
    kind: 'bool',
    default: 'false',
    does: "statistics are served to Prometheus under the reference's names",
  },
  PROMETHEUS_ADDR: {
    kind: 'text',
    default: ':9090',
    does: 'where, as `host:port`, or `:port` for all addresses, IPv6 included',
  },
  PROMETHEUS_PATH: { kind: 'text', default: '/metrics', does: 'at which path' },
  PROMETHEUS_MAPPER_YAML: {
    kind: 'text',
    does: "file of rules that make names and labels, as statsd_exporter's, instead of the built-in ones",
  },
  PROMETHEUS_RESPONSE_TIME_AS_MILLISECONDS: {
    kind: 'bool',
    default: 'false',
    does: 'response times are told in milliseconds instead of seconds',
  },
  DISABLE_STATS: { kind: 'bool', default: 'false', does: 'no statistics, whatever else is set' },
  STATS_FLUSH_INTERVAL: {
    kind: 'duration',
    from: '1ms',
    to: TIMER_MAX,
    default: '10s',
    does: 'how often statistics are sent',
  },
  EXTRA_TAGS: { kind: 'map', default: '', does: 'tags of every statistic' },
} as const satisfies Variables;

export const TRACING = {
  TRACING_ENABLED: {
    kind: 'bool',
    default: 'false',
    does: 'spans are sent as OTLP; where to, `OTEL_EXPORTER_OTLP_*` says. An `OTEL_*` variable goes before the `TRACING_*` one of the same meaning',
  },
  TRACING_EXPORTER_PROTOCOL: {
    kind: 'enum',
    values: ['http', 'grpc'],
    default: 'http',
    does: 'how they are sent',
  },
  TRACING_SERVICE_NAME: { kind: 'text', default: 'RateLimit', does: 'the name of the service in them' },
  TRACING_SERVICE_NAMESPACE: { kind: 'text', does: 'its namespace' },
  TRACING_SERVICE_INSTANCE_ID: { kind: 'text', does: 'which instance of it this process is; any of its own if unset' },
  TRACING_SAMPLING_RATE: {
    kind: 'float',
    default: '1',
    does: 'the share of calls, 0 to 1, that have spans, unless the caller decided',
  },
} as const satisfies Variables;

export const STOPPING = {
  DRAIN_DELAY: {
    kind: 'duration',
    from: '0',
    to: TIMER_MAX,
    default: '0',
    does: 'after SIGTERM: how long calls are still taken while health is down',
  },
  DRAIN_TIMEOUT: {
    kind: 'duration',
    from: '0',
    to: TIMER_MAX,
    default: '10s',
    does: 'after that: how long calls in flight may take',
  },
} as const satisfies Variables;
