/** ShouldRateLimit, whatever the transport: an Envoy request in, an Envoy response out. */
import type { Call, Limiter } from '../../app/limiter.ts';
import type { LimitRequest } from '../../core/descriptor.ts';
import { InvalidRequest } from '../../core/errors.ts';
import type { RateLimitRequest, RateLimitResponse } from '../../gen/envoy/service/ratelimit/v3/rls_pb.ts';
import { fromProto, toProto } from './codec.ts';

/**
 * @throws InvalidRequest and Undecidable, as Limiter.decide; a denial is an ordinary response
 */
export async function shouldRateLimit(
  limiter: Limiter,
  request: RateLimitRequest,
  call: Call,
): Promise<RateLimitResponse> {
  return toProto(await limiter.decide(readable(limiter, request, call), call));
}

function readable(limiter: Limiter, request: RateLimitRequest, { door }: Call): LimitRequest {
  try {
    return fromProto(request);
  } catch (error) {
    if (error instanceof InvalidRequest) limiter.refused(door);
    throw error;
  }
}
