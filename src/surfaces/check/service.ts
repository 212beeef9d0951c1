/** POST /v1/check: a decision for backends that ask directly. A denial is an answer like any other: 200. */
import type { Call, Decided, Limiter } from '../../app/limiter.ts';
import type { LimitRequest } from '../../core/descriptor.ts';
import { InvalidRequest } from '../../core/errors.ts';
import type { PolicySet } from '../../core/policy.ts';
import type { CheckRequest, CheckResponse } from './schema.ts';

/** The entry that the short form stands for. */
const API_KEY = 'api_key';
/** Where its value stands in the form that it is short for. */
const KEY_FIELD = 'descriptors[0].entries[0].value';

/** @throws InvalidRequest and Undecidable, as Limiter.decide */
export async function checkOnce(
  limiter: Limiter,
  policies: PolicySet | undefined,
  request: CheckRequest,
  call: Call,
): Promise<CheckResponse> {
  try {
    return responseOf(await limiter.decide(requestOf(request, policies), call));
  } catch (error) {
    throw request.api_key === undefined ? error : inShortForm(error);
  }
}

function requestOf(request: CheckRequest, policies: PolicySet | undefined): LimitRequest {
  const { domain, descriptors, api_key, remote_address: callerAddress, hits: hitsAddend = 0 } = request;
  if (api_key !== undefined) {
    if (descriptors !== undefined) throw new InvalidRequest('api_key', 'api_key and descriptors exclude each other');
    const descriptor = { entries: [{ key: API_KEY, value: api_key }], isNegativeHits: false };
    return { domain: domain ?? keyedDomain(policies), descriptors: [descriptor], hitsAddend, callerAddress };
  }
  if (descriptors === undefined) throw new InvalidRequest('descriptors', 'either descriptors or api_key is required');
  return {
    domain: domain ?? '',
    descriptors: descriptors.map(({ entries, hits_addend }) => ({
      entries,
      hitsAddend: hits_addend,
      isNegativeHits: false,
    })),
    hitsAddend,
    callerAddress,
  };
}

/** A mistake is named in the words of the form that made it. */
function inShortForm(error: unknown): unknown {
  if (!(error instanceof InvalidRequest) || error.field !== KEY_FIELD) return error;
  return new InvalidRequest(API_KEY, error.message.replace(KEY_FIELD, API_KEY));
}

function keyedDomain(policies: PolicySet | undefined): string {
  // As good as any: without policies nothing can be decided.
  if (policies === undefined) return API_KEY;
  const domains = [...policies.values()]
    .filter(({ root }) => root.children.get(API_KEY)?.keys !== undefined)
    .map(({ domain }) => domain);
  if (domains.length === 1) return domains[0] as string;
  const why = domains.length === 0 ? 'no domain limits api_key' : `api_key is limited by ${domains.join(', ')}`;
  throw new InvalidRequest('domain', `domain is required: ${why}`);
}

function responseOf({ decision, answer }: Decided): CheckResponse {
  const { allowed, reason, statuses, nowSeconds } = decision;
  return {
    allowed,
    reason,
    windows: statuses.flatMap(({ readings }, descriptor) =>
      readings.map(({ window, remaining, endsAt }) => ({
        descriptor,
        name: window.name,
        limit: window.max,
        remaining,
        reset_seconds: endsAt - nowSeconds,
        reset_at: endsAt,
      })),
    ),
    headers: Object.fromEntries(answer.headers),
    ...(answer.retryAfterSeconds === undefined ? {} : { retry_after_seconds: answer.retryAfterSeconds }),
    ...(answer.body === undefined ? {} : { body: JSON.parse(answer.body) as Record<string, unknown> }),
  };
}
