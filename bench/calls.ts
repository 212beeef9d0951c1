/** The keys of the workload as calls, each with the verdict that the policy has for it. */
import { type Call, requestOf } from './h2/exchange.ts';
import type { NextCall } from './load.ts';
import type { BenchKey } from './workload.ts';

const OK = 1;
export const OVER_LIMIT = 2;

/** @param denies whether spent keys are denied */
export function callsOf(keys: readonly BenchKey[], denies: boolean): Call[] {
  return keys.map(({ message, spent }) => ({ request: requestOf(message), code: spent && denies ? OVER_LIMIT : OK }));
}

/** The first call for a key is admitted, whatever its limit. */
export function eachOnce(calls: readonly Call[]): NextCall {
  let asked = 0;
  return () => {
    const call = calls[asked];
    asked += 1;
    return call && { request: call.request, code: OK };
  };
}
