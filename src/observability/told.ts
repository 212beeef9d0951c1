/** What operators are told of a decision: its result, and the limit that it came from. */
import { type Decision, isOverLimit, type Reason, type Status } from '../core/decision.ts';

export type Result = 'allowed' | 'limited' | 'invalid_key' | 'shadowed' | 'error';

const RESULTS: Readonly<Record<Reason, Result>> = {
  within_limit: 'allowed',
  no_limit: 'allowed',
  shadowed: 'shadowed',
  invalid_api_key: 'invalid_key',
  over_limit: 'limited',
  cost_exceeds_limit: 'limited',
};

export function resultOf(reason: Reason): Result {
  return RESULTS[reason];
}

/** @returns undefined when no limit applied. Shadowed limits are told here, though callers never learn of them. */
export function tellingStatus({ reason, deciding, statuses }: Decision): Status | undefined {
  if (reason === 'shadowed')
    return statuses.find((status) => status.reason === 'shadowed') ?? statuses.find(isOverLimit);
  return deciding ?? statuses.find((status) => status.limit !== undefined);
}
