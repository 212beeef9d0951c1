/** Envoy's messages to core types and back. Generated types go no further than this folder. */
import { create, type JsonObject as ProtoJsonObject } from '@bufbuild/protobuf';
import type { Decided } from '../../app/limiter.ts';
import { isOverLimit, type Status } from '../../core/decision.ts';
import type { Descriptor, LimitOverride, LimitRequest } from '../../core/descriptor.ts';
import { InvalidRequest } from '../../core/errors.ts';
import type { Answer } from '../../core/headers.ts';
import { REQUESTS_MAX, type Unit } from '../../core/limit.ts';
import type {
  RateLimitDescriptor,
  RateLimitDescriptor_RateLimitOverride,
} from '../../gen/envoy/extensions/common/ratelimit/v3/ratelimit_pb.ts';
import {
  type RateLimitRequest,
  type RateLimitResponse,
  RateLimitResponse_Code,
  RateLimitResponse_RateLimit_Unit,
  RateLimitResponseSchema,
} from '../../gen/envoy/service/ratelimit/v3/rls_pb.ts';

const UTF8 = new TextEncoder();

/** By number: envoy.type.v3.RateLimitUnit, and 7, which only the response's unit names but the reference takes. */
export const UNITS: readonly (Unit | undefined)[] = [
  undefined,
  'second',
  'minute',
  'hour',
  'day',
  'month',
  'year',
  'week',
];

export const UNIT_NUMBERS: Readonly<Record<Unit, RateLimitResponse_RateLimit_Unit>> = {
  second: RateLimitResponse_RateLimit_Unit.SECOND,
  minute: RateLimitResponse_RateLimit_Unit.MINUTE,
  hour: RateLimitResponse_RateLimit_Unit.HOUR,
  day: RateLimitResponse_RateLimit_Unit.DAY,
  week: RateLimitResponse_RateLimit_Unit.WEEK,
  month: RateLimitResponse_RateLimit_Unit.MONTH,
  year: RateLimitResponse_RateLimit_Unit.YEAR,
};

/** @throws InvalidRequest for what core types cannot hold */
export function fromProto(request: RateLimitRequest): LimitRequest {
  return {
    domain: request.domain,
    descriptors: request.descriptors.map(descriptorFromProto),
    hitsAddend: request.hitsAddend,
  };
}

export function toProto({ decision, answer, metadata }: Decided): RateLimitResponse {
  return create(RateLimitResponseSchema, {
    overallCode: decision.allowed ? RateLimitResponse_Code.OK : RateLimitResponse_Code.OVER_LIMIT,
    statuses: decision.statuses.map((status) => statusToProto(status, decision.nowSeconds)),
    responseHeadersToAdd: answer.headers.map(([key, value]) => ({ key, value })),
    rawBody: UTF8.encode(isTyped(answer) ? answer.body : ''),
    dynamicMetadata: metadata as ProtoJsonObject | undefined,
  });
}

/** Envoy would call a body without a content type plain text. */
export function isTyped({ headers, body }: Answer): boolean {
  return body !== undefined && headers.some(([name]) => name === 'content-type');
}

function descriptorFromProto(descriptor: RateLimitDescriptor, index: number): Descriptor {
  const { entries, hitsAddend, isNegativeHits, limit } = descriptor;
  return {
    entries,
    hitsAddend: hitsAddend === undefined ? undefined : costFromProto(hitsAddend, index),
    isNegativeHits,
    override: limit === undefined ? undefined : overrideFromProto(limit, index),
  };
}

function costFromProto(hits: bigint, index: number): number {
  if (hits <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(hits);
  throw invalidCost(index);
}

export function invalidCost(index: number): InvalidRequest {
  const field = `descriptors[${index}].hits_addend`;
  return new InvalidRequest(field, `${field} must be an integer from 0 to ${Number.MAX_SAFE_INTEGER}`);
}

function overrideFromProto(limit: RateLimitDescriptor_RateLimitOverride, index: number): LimitOverride {
  const unit = UNITS[limit.unit];
  if (unit !== undefined) return { requestsPerUnit: limit.requestsPerUnit, unit };
  throw invalidUnit(index, limit.unit);
}

export function invalidUnit(index: number, number: number): InvalidRequest {
  const field = `descriptors[${index}].limit.unit`;
  return new InvalidRequest(field, `${field}: ${number} is no unit`);
}

function statusToProto(status: Status, nowSeconds: number) {
  const code = isOverLimit(status) ? RateLimitResponse_Code.OVER_LIMIT : RateLimitResponse_Code.OK;
  const { reported, limit } = status;
  if (limit?.unlimited === true) return { code, limitRemaining: REQUESTS_MAX };
  if (reported === undefined) return { code };
  const { window, remaining, endsAt } = reported;
  const unit = window.unit === undefined ? RateLimitResponse_RateLimit_Unit.UNKNOWN : UNIT_NUMBERS[window.unit];
  return {
    code,
    currentLimit: { requestsPerUnit: window.max, unit, name: window.name },
    limitRemaining: remaining,
    durationUntilReset: { seconds: BigInt(endsAt - nowSeconds) },
  };
}
