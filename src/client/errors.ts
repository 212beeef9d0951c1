/** Why the client did not do as it was asked. Its callers tell the classes apart by what they do next. */

/** A pause would have been longer than `maxWaitMillis`, or too many calls wait already: nothing was sent. Try later. */
export class RateLimitWaitError extends Error {
  readonly code: 'RATE_LIMIT_WAIT_TOO_LONG' | 'RATE_LIMIT_QUEUE_FULL';
  /** How long it would have been, as far as is known. */
  readonly waitMillis: number;

  constructor(code: RateLimitWaitError['code'], waitMillis: number) {
    super(
      code === 'RATE_LIMIT_QUEUE_FULL'
        ? 'too many calls are waiting for the rate limit'
        : `the rate limit asks for a pause of ${Math.ceil(waitMillis / 1_000)} s, which is more than maxWaitMillis allows`,
    );
    this.name = 'RateLimitWaitError';
    this.code = code;
    this.waitMillis = waitMillis;
  }
}

/** A page could not be read: walking on would skip or repeat entries. */
export class PaginationError extends Error {
  readonly code: 'PAGE_NOT_AN_ENVELOPE' | 'PAGE_OTHER_THAN_ASKED' | 'PAGE_REFUSED';
  readonly page: number;
  /** The answer's, if there was one. */
  readonly status: number | undefined;

  constructor(code: PaginationError['code'], page: number, message: string, status?: number) {
    super(`page ${page}: ${message}`);
    this.name = 'PaginationError';
    this.code = code;
    this.page = page;
    this.status = status;
  }
}

/** Headroom refused. `code` is its own (INVALID_REQUEST, NOT_FOUND …), or UNEXPECTED_ANSWER if it was not Headroom's. */
export class HeadroomError extends Error {
  readonly code: string;
  readonly status: number;
  /** `field` names what is wrong in the request. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: string, status: number, message: string, details: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.name = 'HeadroomError';
    this.code = code;
    this.status = status;
    this.details = details;
  }
}
