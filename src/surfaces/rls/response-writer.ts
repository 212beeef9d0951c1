import { toBinary } from '@bufbuild/protobuf';
import type { Decided } from '../../app/limiter.ts';
import { RateLimitResponseSchema } from '../../gen/envoy/service/ratelimit/v3/rls_pb.ts';
import { toProto } from './codec.ts';
import type { WriteBuffer } from './h2/write-buffer.ts';
export function writeRateLimitResponse(decided: Decided, out: WriteBuffer): void {
  out.append(toBinary(RateLimitResponseSchema, toProto(decided)));
}
