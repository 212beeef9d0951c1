/** What gateways may log of a decision and hand to later filters (RESPONSE_DYNAMIC_METADATA): envoyproxy/ratelimit's shape. */
import type { KeyHasher } from './api-key.ts';
import { type Decision, isOverLimit } from './decision.ts';
import type { Descriptor, LimitRequest } from './descriptor.ts';
import type { JsonObject, JsonValue } from './limit.ts';
import { type DomainPolicy, match } from './policy.ts';
import { publicName, publicValue } from './stats-key.ts';

/** The request, API keys apart, and the metadata of the limits that it passed: of two that name the same, the first counts. */
export function dynamicMetadata(
  request: LimitRequest,
  policy: DomainPolicy | undefined,
  { statuses }: Decision,
  hasher: KeyHasher,
): JsonObject {
  let metadata: JsonObject | undefined;
  for (const status of statuses) {
    const own = isOverLimit(status) ? undefined : status.limit?.metadata;
    if (own !== undefined) metadata = metadata === undefined ? own : merged(metadata, own);
  }
  return {
    domain: request.domain,
    descriptors: request.descriptors.map((descriptor) => described(descriptor, policy, hasher)),
    ...(request.hitsAddend === 0 ? {} : { hitsAddend: request.hitsAddend }),
    ...(metadata === undefined ? {} : { metadata }),
  };
}

function described(descriptor: Descriptor, policy: DomainPolicy | undefined, hasher: KeyHasher): JsonObject {
  const keyAt = policy === undefined ? -1 : match(policy, descriptor).keyAt;
  const { entries, override, hitsAddend } = descriptor;
  return {
    entries: entries.map(
      ({ key, value }, index) => `${key}=${index === keyAt ? publicName(value, hasher) : publicValue(value)}`,
    ),
    ...(override === undefined
      ? {}
      : { limit: `requests_per_unit:${override.requestsPerUnit} unit:${override.unit.toUpperCase()}` }),
    ...(hitsAddend === undefined ? {} : { hitsAddend }),
  };
}

/** Deep, but lists are not joined; both stay as they are, since they belong to the policy. */
function merged(first: JsonObject, second: JsonObject): JsonObject {
  const entries = Object.entries(second).map(([key, value]): [string, JsonValue] => {
    const own = Object.hasOwn(first, key) ? first[key] : undefined;
    if (own === undefined) return [key, value];
    return [key, isObject(own) && isObject(value) ? merged(own, value) : own];
  });
  return { ...first, ...Object.fromEntries(entries) };
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
