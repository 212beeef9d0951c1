/** The yardstick of the service: reads nothing of a request and answers the same bytes to each. */
import { RateLimitResponse_Code } from '../src/gen/envoy/service/ratelimit/v3/rls_pb.ts';
import { responseOf, serve } from './grpc-js-server.ts';

const RESPONSE = responseOf(RateLimitResponse_Code.OK);

serve((_request, answer) => answer(null, RESPONSE));
