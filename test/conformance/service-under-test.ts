/** A service with the reference's environment, its configuration in a folder of its own, and clients for it. */
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../support/children.ts';
import { http1 } from '../support/clients-http.ts';
import { TestService } from '../support/service.ts';
import type { HttpRequest } from './case-format.ts';
import { CaseClient } from './rls-client.ts';

/** Lines by file name; null deletes the file. */
export type Files = Readonly<Record<string, readonly string[] | null>>;

const SUBDIRECTORY = 'ratelimit';
const APP_DIRECTORY = 'config';

export class ServiceUnderTest {
  readonly #env: Record<string, string>;
  readonly #runtime = mkdtempSync(join(tmpdir(), 'headroom-conformance-'));
  readonly #pastLogs: string[] = [];
  #version = 0;
  #service: TestService | undefined;
  #client: CaseClient | undefined;

  private constructor(env: Readonly<Record<string, string>>) {
    this.#env = { ...env };
  }

  /** With a folder whose files are watched one by one: for changes in place. */
  static async start(env: Readonly<Record<string, string>>, files: Files): Promise<ServiceUnderTest> {
    const service = new ServiceUnderTest(env);
    service.#swap(files);
    Object.assign(service.#env, { RUNTIME_ROOT: join(service.#runtime, 'v1'), RUNTIME_WATCH_ROOT: 'false' });
    await service.#start();
    return service;
  }

  /** With a folder that is exchanged as a whole by `replaceAll`. */
  static async startReplaceable(env: Readonly<Record<string, string>>): Promise<ServiceUnderTest> {
    const service = new ServiceUnderTest(env);
    service.#env.RUNTIME_WATCH_ROOT = 'true';
    service.#swap({ 'config.yaml': ['domain: none'] });
    await service.#start();
    return service;
  }

  get client(): CaseClient {
    return this.#client as CaseClient;
  }

  get process(): TestService {
    return this.#service as TestService;
  }

  /** Of all processes, if it was restarted. */
  get log(): string {
    return [...this.#pastLogs, this.process.output].join('\n');
  }

  get isRunning(): boolean {
    return this.process.child.exitCode === null && this.process.child.signalCode === null;
  }

  /** Writes each file, or deletes it, at its place. */
  write(files: Files): void {
    for (const [name, lines] of Object.entries(files)) {
      const file = join(this.#runtime, 'current', SUBDIRECTORY, APP_DIRECTORY, name);
      if (lines === null) unlinkSync(file);
      else writeFileSync(file, lines.map((line) => `${line}\n`).join(''));
    }
  }

  /** Settles when the service runs with these files and no others. */
  async replaceAll(files: Files): Promise<void> {
    const domain = `conformance-${this.#version}`;
    // One more domain tells which set of files is in force.
    const marker = [`domain: ${domain}`, 'descriptors: [{ key: is, rate_limit: { unlimited: true } }]'];
    this.#swap({ ...files, 'zz-marker.yaml': marker });
    const question = { domain, descriptors: [{ entries: [['is', 'loaded']] as [string, string][] }] };
    await until('the new configuration is in force', async () => {
      const answer = await this.client.call(question);
      if ('error' in answer) throw new Error(`while the configuration changes: ${answer.error.message}`);
      return answer.statuses[0]?.limit_remaining !== 0;
    });
  }

  async restart(env: Readonly<Record<string, string>>): Promise<void> {
    this.#pastLogs.push(this.process.output);
    await this.#end();
    Object.assign(this.#env, env);
    await this.#start();
  }

  http({ path, port = 'http', method = 'GET', body }: HttpRequest) {
    const origin = port === 'http' ? this.process.http : this.process.debug;
    return http1(origin + path, { method, ...(body === undefined ? {} : { body }) });
  }

  async stop(): Promise<void> {
    await this.#end();
    rmSync(this.#runtime, { recursive: true, force: true });
  }

  /** A new version of the folder takes the old one's place in one step. */
  #swap(files: Files): void {
    this.#version += 1;
    const folder = join(this.#runtime, `v${this.#version}`);
    mkdirSync(join(folder, SUBDIRECTORY, APP_DIRECTORY), { recursive: true });
    for (const [name, lines] of Object.entries(files)) {
      writeFileSync(join(folder, SUBDIRECTORY, APP_DIRECTORY, name), (lines ?? []).map((line) => `${line}\n`).join(''));
    }
    symlinkSync(folder, join(this.#runtime, 'next'));
    renameSync(join(this.#runtime, 'next'), join(this.#runtime, 'current'));
  }

  async #start(): Promise<void> {
    this.#service = await TestService.start({
      // Empty is unset: what other tests run with is of no concern here.
      POLICY_PATH: '',
      BACKEND_TYPE: '',
      DEBUG_HOST: '127.0.0.1',
      REDIS_SOCKET_TYPE: 'tcp',
      RUNTIME_ROOT: join(this.#runtime, 'current'),
      RUNTIME_SUBDIRECTORY: SUBDIRECTORY,
      RUNTIME_APPDIRECTORY: APP_DIRECTORY,
      USE_STATSD: 'false',
      DISABLE_STATS: 'true',
      LOG_LEVEL: 'info',
      ...this.#env,
    });
    this.#client = new CaseClient(this.#service.grpc);
  }

  async #end(): Promise<void> {
    this.#client?.close();
    await this.#service?.stop();
  }
}
