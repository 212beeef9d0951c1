/** What a request is as far as governing it goes: whose limit it counts against, and whether it may be sent again. */
import { baseUrl } from './environment.ts';

/** What `fetch` takes, and whether the request may be sent again. */
export interface GovernedInit extends RequestInit {
  /**
   * true: twice does no more than once, so it may be sent again whatever happened. false: it is sent once.
   * Default: true for GET, HEAD and OPTIONS, and with an Idempotency-Key header.
   */
  readonly retry?: boolean;
}

export type GovernedInput = string | URL | Request;

/** What a key is made of. */
export interface RequestFacts {
  /** Empty if the address is none that fetch can call. */
  readonly origin: string;
  /** Upper case. */
  readonly method: string;
  readonly headers: Headers;
}

export type KeyOf = (request: RequestFacts) => string;

/** `always`: whatever happened. `unprocessed`: only if the API says that it has done nothing (429). */
export type Repeat = 'always' | 'unprocessed' | 'never';

const SAFE_METHODS: readonly string[] = ['GET', 'HEAD', 'OPTIONS'];

export function factsOf(input: GovernedInput, init: GovernedInit): RequestFacts {
  const request = typeof input === 'string' || input instanceof URL ? undefined : input;
  return {
    origin: originOf(request?.url ?? String(input)),
    method: (init.method ?? request?.method ?? 'GET').toUpperCase(),
    // As in fetch: headers of the second argument stand for all of the first's.
    headers: new Headers(init.headers ?? request?.headers),
  };
}

/** An API counts by key; the same key at another API is another's. */
export function originAndKey({ origin, headers }: RequestFacts): string {
  return `${origin} ${headers.get('X-API-Key') ?? headers.get('Authorization') ?? ''}`;
}

export function repeatOf(input: GovernedInput, init: GovernedInit, { origin, method, headers }: RequestFacts): Repeat {
  if (origin === '' || init.retry === false || hasStream(input, init, method)) return 'never';
  if (init.retry === true || SAFE_METHODS.includes(method) || headers.has('Idempotency-Key')) return 'always';
  return 'unprocessed';
}

/** A stream can be read once, and so sent once. The body of a Request is one, whatever it was made of. */
function hasStream(input: GovernedInput, init: GovernedInit, method: string): boolean {
  const body: unknown = init.body;
  if (body !== undefined && body !== null) {
    return typeof body === 'object' && ('getReader' in body || Symbol.asyncIterator in body);
  }
  if (typeof input === 'string' || input instanceof URL) return false;
  // Browsers that do not tell a Request's body leave it undefined: there the method has to say.
  return input.body === undefined ? !SAFE_METHODS.includes(method) : input.body !== null;
}

function originOf(url: string): string {
  try {
    return new URL(url, baseUrl()).origin;
  } catch {
    return ''; // what is wrong with it says fetch
  }
}
