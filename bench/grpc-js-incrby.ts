/** The yardstick of Redis: the server of the other yardstick, but that it counts as envoyproxy/ratelimit does. */

import { fromBinary } from '@bufbuild/protobuf';
import { status } from '@grpc/grpc-js';
import { Redis } from 'ioredis';
import { RateLimitRequestSchema, RateLimitResponse_Code } from '../src/gen/envoy/service/ratelimit/v3/rls_pb.ts';
import { responseOf, serve } from './grpc-js-server.ts';
import { countsTooMany } from './incrby.ts';
import { isSpentKey } from './workload.ts';

const OK = responseOf(RateLimitResponse_Code.OK);
const OVER_LIMIT = responseOf(RateLimitResponse_Code.OVER_LIMIT);

const redis = new Redis({ path: process.env.REDIS_URL as string });

serve((request, answer) => {
  decide(request).then(
    (response) => answer(null, response),
    (error: Error) => answer({ code: status.INTERNAL, details: error.message }),
  );
});

async function decide(request: Buffer): Promise<Buffer> {
  const { descriptors } = fromBinary(RateLimitRequestSchema, request);
  const key = descriptors[0]?.entries[0]?.value ?? '';
  return (await countsTooMany(redis, key, isSpentKey(key))) ? OVER_LIMIT : OK;
}
