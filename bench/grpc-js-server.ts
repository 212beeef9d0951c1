/** The yardsticks' server, on grpc-js: bytes in, bytes out. */
import { create, toBinary } from '@bufbuild/protobuf';
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js';
import { type RateLimitResponse_Code, RateLimitResponseSchema } from '../src/gen/envoy/service/ratelimit/v3/rls_pb.ts';
import { METHOD_PATH } from './workload.ts';

export type OnCall = (request: Buffer, answer: sendUnaryData<Buffer>) => void;

const asIs = (bytes: Buffer): Buffer => bytes;

/** Says where it listens as Headroom's own first line does. */
export function serve(onCall: OnCall): void {
  const server = new Server();
  server.addService(
    {
      ShouldRateLimit: {
        path: METHOD_PATH,
        requestStream: false,
        responseStream: false,
        requestSerialize: asIs,
        requestDeserialize: asIs,
        responseSerialize: asIs,
        responseDeserialize: asIs,
      },
    },
    {
      ShouldRateLimit: ({ request }: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) =>
        onCall(request, answer),
    },
  );
  server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, grpcPort) => {
    if (error) throw error;
    process.stdout.write(`${JSON.stringify({ grpcPort })}\n`);
  });
  // An end by exit leaves a profile, if one was asked for; an end by the signal does not.
  process.once('SIGTERM', () => process.exit());
}

/** What Headroom answers to an admitted call under the benchmark's policy, so that all move the same bytes. */
export function responseOf(code: RateLimitResponse_Code): Buffer {
  return Buffer.from(
    toBinary(
      RateLimitResponseSchema,
      create(RateLimitResponseSchema, {
        overallCode: code,
        statuses: [
          {
            code,
            currentLimit: { requestsPerUnit: 100_000_000, unit: 2, name: 'minute' },
            limitRemaining: 99_999_999,
            durationUntilReset: { seconds: 30n },
          },
        ],
        responseHeadersToAdd: [
          { key: 'RateLimit-Policy', value: '100000000;w=60, 1000000000;w=86400' },
          { key: 'RateLimit-Limit', value: '100000000' },
          { key: 'RateLimit-Remaining', value: '99999999' },
          { key: 'RateLimit-Reset', value: '30' },
          { key: 'X-RateLimit-Limit', value: '100000000' },
          { key: 'X-RateLimit-Remaining', value: '99999999' },
          { key: 'X-RateLimit-Reset', value: '1800000000' },
        ],
      }),
    ),
  );
}
