/** Headroom's own HTTP API, typed: one method per route. Retries and pauses are the given fetch's matter. */
import { type Fetch, REAL } from './environment.ts';
import { HeadroomError } from './errors.ts';
import type {
  AdminLimitReset,
  AdminLimitResetAnswer,
  AuditEntry,
  CheckAnswer,
  CheckRequest,
  CreatedKey,
  KeyChange,
  KeyCreation,
  KeyQuery,
  KeyRecord,
  KeyReset,
  KeyUsage,
  RotatedKey,
} from './headroom-types.ts';
import { requireCount } from './options.ts';
import type { Page, PageRequest } from './pages.ts';
import type { GovernedInit } from './request.ts';

export interface HeadroomClientOptions {
  /** Of the HTTP port, such as http://127.0.0.1:8080. */
  readonly baseUrl: string | URL;
  /** One of ADMIN_TOKEN; /v1/check needs none. */
  readonly token?: string | undefined;
  /** Such as a governed one. */
  readonly fetch?: Fetch | undefined;
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Makes a repeated call answer as the first one did. */
export interface CreationOptions extends CallOptions {
  readonly idempotencyKey?: string | undefined;
}

/** The call fails with PRECONDITION_FAILED if the record has changed since this version. */
export interface ChangeOptions extends CallOptions {
  readonly ifVersion?: number | undefined;
}

/** Every other use of the network is fetch's; `page` and `pageSize` are those of iteratePages. */
export type ListOptions = { readonly [K in keyof PageRequest]?: PageRequest[K] | undefined };

type Query = Readonly<Record<string, string | number | undefined>>;

interface Route {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Query;
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal | undefined;
  /** Twice does no more than once, whatever the method; for governed fetches. */
  readonly retry?: true;
}

/**
 * Every method throws HeadroomError if Headroom refuses, what fetch throws if it cannot be reached, and TypeError or
 * RangeError of an option that is no whole number.
 */
export class HeadroomClient {
  readonly #base: string;
  readonly #token: string | undefined;
  readonly #fetch: Fetch;

  constructor({ baseUrl, token, fetch = REAL.fetch }: HeadroomClientOptions) {
    this.#base = String(baseUrl).replace(/\/+$/, '');
    this.#token = token;
    this.#fetch = fetch;
  }

  /** Decides, and charges. A denial is an answer: `allowed` is false. */
  check(request: CheckRequest, { signal }: CallOptions = {}): Promise<CheckAnswer> {
    return this.#call({ method: 'POST', path: '/v1/check', body: request, signal });
  }

  createKey(creation: KeyCreation, { idempotencyKey, signal }: CreationOptions = {}): Promise<CreatedKey> {
    const headers = { 'Idempotency-Key': idempotencyKey };
    return this.#call({ method: 'POST', path: '/v1/keys', body: creation, headers, signal });
  }

  /** One page; all of them by `iteratePages((request) => client.listKeys(query, request))`. */
  async listKeys(query: KeyQuery = {}, { page, pageSize, signal }: ListOptions = {}): Promise<Page<KeyRecord>> {
    requireWhole({ page, pageSize });
    const all = { ...query, page, page_size: pageSize };
    return this.#call({ method: 'GET', path: '/v1/keys', query: all, signal });
  }

  getKey(id: string, { signal }: CallOptions = {}): Promise<KeyRecord> {
    return this.#call({ method: 'GET', path: keyPath(id), signal });
  }

  async changeKey(id: string, change: KeyChange, options: ChangeOptions = {}): Promise<KeyRecord> {
    return this.#call({ method: 'PATCH', path: keyPath(id), body: change, ...conditions(options) });
  }

  /** For good: a revoked key stays listed, and cannot be changed. */
  async revokeKey(id: string, options: ChangeOptions = {}): Promise<KeyRecord> {
    return this.#call({ method: 'DELETE', path: keyPath(id), ...conditions(options) });
  }

  keyUsage(id: string, { signal }: CallOptions = {}): Promise<KeyUsage> {
    return this.#call({ method: 'GET', path: keyPath(id, 'usage'), signal });
  }

  /** What was used counts as unused. */
  resetKey(id: string, reset: KeyReset = {}, { signal }: CallOptions = {}): Promise<KeyUsage> {
    return this.#call({ method: 'POST', path: keyPath(id, 'reset'), body: reset, signal });
  }

  /** @param graceSeconds how long the key before stays good */
  async rotateKey(id: string, graceSeconds = 0, options: CreationOptions & ChangeOptions = {}): Promise<RotatedKey> {
    requireWhole({ graceSeconds });
    const { headers, signal } = conditions(options);
    return this.#call({
      method: 'POST',
      path: keyPath(id, 'rotate'),
      body: { grace_seconds: graceSeconds },
      headers: { ...headers, 'Idempotency-Key': options.idempotencyKey },
      signal,
    });
  }

  /** Which record a key belongs to. */
  lookupKey(key: string, { signal }: CallOptions = {}): Promise<KeyRecord> {
    return this.#call({ method: 'POST', path: '/v1/keys/lookup', body: { key }, signal, retry: true });
  }

  /** One page, as listKeys. */
  async audit({ page, pageSize, signal }: ListOptions = {}): Promise<Page<AuditEntry>> {
    requireWhole({ page, pageSize });
    return this.#call({ method: 'GET', path: '/v1/audit', query: { page, page_size: pageSize }, signal });
  }

  resetAdminLimit(reset: AdminLimitReset, { signal }: CallOptions = {}): Promise<AdminLimitResetAnswer> {
    return this.#call({ method: 'POST', path: '/v1/limits/reset', body: reset, signal });
  }

  async #call<T>({ method, path, query = {}, body, headers = {}, signal, retry }: Route): Promise<T> {
    const init: GovernedInit = {
      method,
      headers: defined({
        ...headers,
        authorization: this.#token === undefined ? undefined : `Bearer ${this.#token}`,
        'content-type': body === undefined ? undefined : 'application/json',
      }),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
      ...(retry === undefined ? {} : { retry }),
    };
    const search = new URLSearchParams(defined(query)).toString();
    // Called as a function, not as a method: a browser's own fetch refuses any `this` but its window.
    const fetch = this.#fetch;
    const response = await fetch(`${this.#base}${path}${search === '' ? '' : `?${search}`}`, init);
    const answer = parsed(await response.text());
    if (!response.ok) throw refusal(response.status, answer);
    if (answer === undefined) throw new HeadroomError('UNEXPECTED_ANSWER', response.status, 'the answer is not JSON');
    return answer as T;
  }
}

function keyPath(id: string, part?: string): string {
  return `/v1/keys/${encodeURIComponent(id)}${part === undefined ? '' : `/${part}`}`;
}

function conditions({ ifVersion, signal }: ChangeOptions): Pick<Route, 'headers' | 'signal'> {
  requireWhole({ ifVersion });
  return { headers: { 'If-Match': ifVersion === undefined ? undefined : `"${ifVersion}"` }, signal };
}

/** Of what would not reach the service as a number; which of them it takes is for the service to say. */
function requireWhole(numbers: Readonly<Record<string, number | undefined>>): void {
  for (const [name, value] of Object.entries(numbers)) {
    if (value !== undefined) requireCount(name, value, 0, Number.MAX_SAFE_INTEGER);
  }
}

function defined(values: Query): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])),
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** From the documented envelope; whatever else stands at this address has none. */
function refusal(status: number, answer: unknown): HeadroomError {
  const { code, message, details } = (answer as { readonly error?: Partial<HeadroomError> } | null)?.error ?? {};
  if (typeof code !== 'string' || typeof message !== 'string') {
    return new HeadroomError('UNEXPECTED_ANSWER', status, `status ${status} without an error that Headroom would give`);
  }
  return new HeadroomError(code, status, message, details);
}
