import { fromBinary } from '@bufbuild/protobuf';
import type { LimitRequest } from '../../core/descriptor.ts';
import { RateLimitRequestSchema } from '../../gen/envoy/service/ratelimit/v3/rls_pb.ts';
import { fromProto } from './codec.ts';
export function readRateLimitRequest(bytes: Buffer, from: number, to: number): LimitRequest {
  return fromProto(fromBinary(RateLimitRequestSchema, bytes.subarray(from, to)));
}
