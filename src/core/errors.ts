/** The reasons for which no decision can be given, or no change be made. A denial is none of them: it is a value. */

/** What the caller asked for cannot be done as asked. `field` names what is in the way, in the caller's own spelling. */
export abstract class Refusal extends Error {
  abstract readonly code: 'INVALID_REQUEST' | 'NOT_FOUND' | 'CONFLICT' | 'PRECONDITION_FAILED';
  readonly field: string;

  constructor(field: string, message: string) {
    super(message);
    this.name = new.target.name;
    this.field = field;
  }
}

/** The caller's mistake: asking again unchanged fails again. */
export class InvalidRequest extends Refusal {
  readonly code = 'INVALID_REQUEST';
}

/** What was asked for by name is not there: asking again helps only once somebody has made it. */
export class NotFound extends Refusal {
  readonly code = 'NOT_FOUND';
}

/** What is there forbids the change. The caller looks at it, and asks for something else. */
export class Conflict extends Refusal {
  readonly code = 'CONFLICT';
}

/** The caller asked for the change on a condition that no longer holds: reading again, then deciding, helps. */
export class PreconditionFailed extends Refusal {
  readonly code = 'PRECONDITION_FAILED';
}

export type UndecidableCode =
  | 'NO_POLICY' // no policies were ever loaded
  | 'STORE_TIMEOUT' // no answer by the deadline; the charge may or may not have been made
  | 'STORE_FAILED' // the store answered with an error, or its connection broke
  | 'STORE_OPEN' // the breaker is open: nothing was sent
  | 'STORE_BUSY'; // too many calls are waiting already: nothing was sent

/** Nobody's mistake: the counters cannot be reached in time, or nothing says what to count. The gateway's failure mode decides. */
export class Undecidable extends Error {
  readonly code: UndecidableCode;

  constructor(code: UndecidableCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'Undecidable';
    this.code = code;
  }
}

/** An API key that is disabled, revoked, expired or rotated away, where the policy wants its use to fail. Nothing was charged all or nothing. */
export class InvalidApiKey extends Error {
  readonly code = 'INVALID_API_KEY';

  constructor() {
    super('the API key is not active');
    this.name = 'InvalidApiKey';
  }
}

/** A policy that cannot be used. `path` leads from the root of the file to the offending key. */
export class PolicyError extends Error {
  readonly path: readonly (string | number)[];

  constructor(path: readonly (string | number)[], message: string) {
    super(message);
    this.name = 'PolicyError';
    this.path = path;
  }
}
