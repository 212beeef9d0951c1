/** ShouldRateLimit, whatever the transport: an Envoy request in, an Envoy response out. */
import type { Call, Limiter } from '../../app/limiter.ts';
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
  return toProto(await limiter.decide(fromProto(request), call));
}
