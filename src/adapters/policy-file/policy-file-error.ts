/** Why a set of policy files cannot be used. */

/** `form`: keys, types or YAML itself; `meaning`: all that is left once a file can be read; `file`: it could not be. */
export type PolicyFault = 'form' | 'meaning' | 'file';

/** A whole set that cannot be used; the message begins with `file:line: key: `. */
export class PolicyFileError extends Error {
  readonly code = 'POLICY_INVALID';
  readonly fault: PolicyFault;

  constructor(fault: PolicyFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'PolicyFileError';
    this.fault = fault;
  }
}
