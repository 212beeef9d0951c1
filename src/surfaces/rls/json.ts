/** /json: ShouldRateLimit in proto3 JSON, as the reference serves it. */
import { fromJsonString, toJsonString } from '@bufbuild/protobuf';
import type { Call, Limiter } from '../../app/limiter.ts';
import { InvalidRequest } from '../../core/errors.ts';
import {
  RateLimitRequestSchema,
  RateLimitResponse_Code,
  RateLimitResponseSchema,
} from '../../gen/envoy/service/ratelimit/v3/rls_pb.ts';
import { shouldRateLimit } from './service.ts';

/** @returns status 200 or 429 with the response @throws InvalidRequest for what is no such request, Undecidable */
export async function jsonRateLimit(
  limiter: Limiter,
  body: string,
  call: Call,
): Promise<{ status: 200 | 429; body: string }> {
  const response = await shouldRateLimit(limiter, parse(body), call);
  const status = response.overallCode === RateLimitResponse_Code.OVER_LIMIT ? 429 : 200;
  return { status, body: toJsonString(RateLimitResponseSchema, response) };
}

function parse(body: string) {
  try {
    return fromJsonString(RateLimitRequestSchema, body);
  } catch (error) {
    throw new InvalidRequest('body', (error as Error).message);
  }
}
