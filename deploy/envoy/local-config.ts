/** Turns envoy.yaml, which names the hosts of compose.yaml, into a configuration for processes on this machine. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Document, parseDocument } from 'yaml';

export interface LocalEnvoyOptions {
  /** 0: any free port, which the admin port tells. */
  readonly listenerPort: number;
  /** 0: any free port, which Envoy writes to its `--admin-address-path`. */
  readonly adminPort: number;
  /** gRPC ports of Headroom processes. */
  readonly headroomPorts: readonly number[];
  readonly originPort: number;
  /** As the file says, unless given. */
  readonly failureModeDeny?: boolean;
  /** Headroom is asked by TLS, as headroom-mtls.yaml says, with these files in PEM. */
  readonly headroomTls?: { readonly certPath: string; readonly keyPath: string; readonly caPath: string };
}

type Path = readonly (string | number)[];

const LOOPBACK = '127.0.0.1';
const TOOLS = fileURLToPath(new URL('../../.tools', import.meta.url));

/** @returns YAML for `envoy --config-yaml` or a file @throws when envoy.yaml lacks what is to be replaced */
export function localEnvoyConfig(options: LocalEnvoyOptions): string {
  const config = parseDocument(readFileSync(new URL('envoy.yaml', import.meta.url), 'utf8'));
  const listener = ['static_resources', 'listeners', 0];
  replace(config, [...listener, 'address'], address(options.listenerPort));
  replace(config, ['admin', 'address'], address(options.adminPort));
  replaceEndpoints(config, 'headroom', options.headroomPorts);
  replaceEndpoints(config, 'origin', [options.originPort]);
  if (options.failureModeDeny !== undefined) {
    const filters = [...listener, 'filter_chains', 0, 'filters', 0, 'typed_config', 'http_filters'];
    const ratelimit = [...filters, indexOf(config, filters, 'envoy.filters.http.ratelimit')];
    replace(config, [...ratelimit, 'typed_config', 'failure_mode_deny'], options.failureModeDeny);
  }
  if (options.headroomTls !== undefined) addTls(config, options.headroomTls);
  return config.toString();
}

/** The newest Envoy that `make tools` has installed. @throws when there is none */
export function envoyBinary(): string {
  const versions = readdirSync(TOOLS).filter((name) => name.startsWith('envoy-'));
  const [newest] = versions.sort((a, b) => b.localeCompare(a, 'en', { numeric: true }));
  if (newest === undefined) throw new Error(`there is no Envoy in ${TOOLS}: run 'make tools'`);
  return `${TOOLS}/${newest}/bin/envoy`;
}

function addTls(config: Document, { certPath, keyPath, caPath }: NonNullable<LocalEnvoyOptions['headroomTls']>): void {
  const tls = parseDocument(readFileSync(new URL('headroom-mtls.yaml', import.meta.url), 'utf8'));
  const common = ['transport_socket', 'typed_config', 'common_tls_context'];
  replace(tls, [...common, 'tls_certificates', 0, 'certificate_chain', 'filename'], certPath);
  replace(tls, [...common, 'tls_certificates', 0, 'private_key', 'filename'], keyPath);
  replace(tls, [...common, 'validation_context', 'trusted_ca', 'filename'], caPath);
  const clusters = ['static_resources', 'clusters'];
  config.setIn([...clusters, indexOf(config, clusters, 'headroom'), 'transport_socket'], tls.get('transport_socket'));
}

function replaceEndpoints(config: Document, cluster: string, ports: readonly number[]): void {
  const clusters = ['static_resources', 'clusters'];
  const found = [...clusters, indexOf(config, clusters, cluster)];
  replace(config, [...found, 'type'], 'STATIC');
  replace(
    config,
    [...found, 'load_assignment', 'endpoints', 0, 'lb_endpoints'],
    ports.map((port) => ({ endpoint: { address: address(port) } })),
  );
}

function address(port: number): object {
  return { socket_address: { address: LOOPBACK, port_value: port } };
}

/** Where in the list at `path` the item of this name stands. */
function indexOf(config: Document, path: Path, name: string): number {
  for (let index = 0; config.hasIn([...path, index]); index += 1) {
    if (config.getIn([...path, index, 'name']) === name) return index;
  }
  throw new Error(`envoy.yaml has no ${name} in ${path.join('.')}`);
}

/** Only what is there: a value in a new place would be a typing error that nobody notices. */
function replace(config: Document, path: Path, value: unknown): void {
  if (!config.hasIn(path)) throw new Error(`envoy.yaml has no ${path.join('.')}`);
  config.setIn(path, config.createNode(value));
}
