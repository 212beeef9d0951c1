/** The header fields of one request, taken as HPACK brings them, and whether they are fit to be a request (RFC 9113 §8). */
import { millisOfTimeout } from '../grpc-timeout.ts';

const FIELD_BYTES = 32; // RFC 9113 §6.5.2

const METHOD = 1;
const PATH = 2;
const SCHEME = 3;
const AUTHORITY = 4;
const CONTENT_TYPE = 5;
const CONTENT_LENGTH = 6;
const TE = 7;
const TIMEOUT = 8;
const ENCODING = 9;
/** RFC 9113 §8.2.2: fields of a connection have no place in a message. */
const OF_CONNECTION = 10;
const OTHER = 11;

/** What a field is to this service. The others are here so that the names that gateways send need not be examined each time. */
const KINDS: ReadonlyMap<string, number> = new Map(
  Object.entries({
    ':method': METHOD,
    ':path': PATH,
    ':scheme': SCHEME,
    ':authority': AUTHORITY,
    'content-type': CONTENT_TYPE,
    'content-length': CONTENT_LENGTH,
    te: TE,
    'grpc-timeout': TIMEOUT,
    'grpc-encoding': ENCODING,
    connection: OF_CONNECTION,
    'keep-alive': OF_CONNECTION,
    'proxy-connection': OF_CONNECTION,
    'transfer-encoding': OF_CONNECTION,
    upgrade: OF_CONNECTION,
    'grpc-accept-encoding': OTHER,
    traceparent: OTHER,
    tracestate: OTHER,
    'user-agent': OTHER,
    'x-envoy-expected-rq-timeout-ms': OTHER,
    'x-envoy-internal': OTHER,
    'x-forwarded-for': OTHER,
    'x-forwarded-proto': OTHER,
    'x-request-id': OTHER,
  }),
);

export class RequestHead {
  /** Name, value, name, value … without pseudo-header fields. */
  readonly fields: string[] = [];
  method = '';
  path = '';
  scheme = '';
  authority = '';
  contentType = '';
  /** How long the caller waits; NaN for what cannot be read. */
  timeoutMillis: number | undefined;
  encoding: string | undefined;
  /** As RFC 9113 §6.5.2 counts it. */
  listBytes = 0;
  /** Its list was not longer than what is taken. */
  isWhole = true;
  /** -1: it does not say. */
  contentLength = -1;
  #isMalformed = false;

  /** Takes one field; both are latin1. */
  field(name: string, value: string): void {
    const kind = KINDS.get(name);
    this.listBytes += name.length + value.length + FIELD_BYTES;
    if (kind === undefined || kind > AUTHORITY) {
      this.fields.push(name, value);
      this.#take(kind, name, value);
    } else if (this.fields.length > 0)
      this.#isMalformed = true; // Pseudo-header fields come first.
    else this.#takePseudo(kind, value);
  }

  /** As a request, every part of it in its place. */
  get isWellFormed(): boolean {
    return !this.#isMalformed && this.method !== '' && this.scheme !== '' && this.path !== '';
  }

  /** As trailers, which have no pseudo-header fields. */
  get isWellFormedTrailer(): boolean {
    return !this.#isMalformed && this.method === '' && this.scheme === '' && this.path === '' && this.authority === '';
  }

  /** @param name in lower case @returns the first of that name */
  get(name: string): string | undefined {
    for (let at = 0; at < this.fields.length; at += 2) if (this.fields[at] === name) return this.fields[at + 1];
    return undefined;
  }

  #takePseudo(kind: number, value: string): void {
    // Once each, and never empty: `:authority` may be missing, but says something where it is not.
    if (value === '') this.#isMalformed = true;
    else if (kind === METHOD && this.method === '') this.method = value;
    else if (kind === PATH && this.path === '') this.path = value;
    else if (kind === SCHEME && this.scheme === '') this.scheme = value;
    else if (kind === AUTHORITY && this.authority === '') this.authority = value;
    else this.#isMalformed = true;
  }

  /** Several may say the same (RFC 9110 §8.6). */
  #takeLength(bytes: number): void {
    if (Number.isNaN(bytes) || (this.contentLength >= 0 && this.contentLength !== bytes)) this.#isMalformed = true;
    this.contentLength = bytes;
  }

  #take(kind: number | undefined, name: string, value: string): void {
    switch (kind) {
      case CONTENT_TYPE:
        this.contentType = value;
        break;
      case CONTENT_LENGTH:
        this.#takeLength(lengthOf(value));
        break;
      case TE:
        if (value !== 'trailers') this.#isMalformed = true;
        break;
      case TIMEOUT:
        this.timeoutMillis = millisOfTimeout(value);
        break;
      case ENCODING:
        this.encoding = value;
        break;
      case OF_CONNECTION:
        this.#isMalformed = true;
        break;
      case undefined:
        if (!isFieldName(name)) this.#isMalformed = true;
    }
  }
}

function lengthOf(value: string): number {
  return /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
}

/** RFC 9110 §5.6.2, without capital letters (RFC 9113 §8.2.1). */
function isFieldName(name: string): boolean {
  for (let at = 0; at < name.length; at++) if (!IS_NAME_CHARACTER[name.charCodeAt(at)]) return false;
  return name !== '';
}

const IS_NAME_CHARACTER: readonly boolean[] = Array.from({ length: 256 }, (_, code) =>
  /[!#$%&'*+\-.^_`|~0-9a-z]/.test(String.fromCharCode(code)),
);
