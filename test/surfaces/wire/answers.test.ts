/** A unary call is answered alike to every client of gRPC, whatever its make: message, status, content type, fields. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { RateLimitResponseSchema } from '../../../src/gen/envoy/service/ratelimit/v3/rls_pb.ts';
import { HealthCheckRequestSchema, HealthCheckResponseSchema } from '../../../src/gen/grpc/health/v1/health_pb.ts';
import { encoded } from '../../support/clients-grpc.ts';
import { answerOf, type Question } from '../../support/clients-rls.ts';
import { type InProcess, startInProcess } from '../../support/in-process.ts';
import { TRANSPORTS, transportEnv } from '../../support/transports.ts';
import { CURL_SPEAKS_HTTP2, WIRE_CLIENTS, type WireAnswer } from '../../support/wire-clients.ts';

const POLICY = `
domain: doors
descriptors:
  - key: user
    limits:
      - { requests: 5, per: year }
`;

function question(value: string, hitsAddend: bigint): Question {
  return { domain: 'doors', descriptors: [{ entries: [{ key: 'user', value }], hitsAddend }] };
}

function health(service: string): Uint8Array {
  return toBinary(HealthCheckRequestSchema, create(HealthCheckRequestSchema, { service }));
}

const GRPC = { contentType: 'application/grpc+proto', otherFields: [] };

describe.each(TRANSPORTS)('%s:', (transport) => {
  let server: InProcess;

  beforeAll(async () => {
    server = await startInProcess([POLICY], transportEnv(transport));
  });

  afterAll(() => server.stop());

  if (!CURL_SPEAKS_HTTP2) test.skip('curl: is not asked, since it is not there or speaks no HTTP/2', () => undefined);

  describe.each(Object.entries(WIRE_CLIENTS))('%s', (name, ask) => {
    function decide(asked: Question): Promise<WireAnswer> {
      return ask(server.grpcPort, 'ShouldRateLimit', encoded(asked));
    }

    test('is told that a call is allowed', async () => {
      const { body, ...rest } = await decide(question(name, 1n));
      expect(rest).toEqual({ ...GRPC, status: 0, message: '' });
      expect(decoded(body)).toMatchObject({ code: 'OK', statuses: [{ code: 'OK', remaining: 4 }], body: '' });
    });

    test('is told that a call is denied, which is no error', async () => {
      const { body, ...rest } = await decide(question(`${name} denied`, 6n));
      expect(rest).toEqual({ ...GRPC, status: 0, message: '' });
      const answer = decoded(body);
      expect(answer).toMatchObject({ code: 'OVER_LIMIT', statuses: [{ code: 'OVER_LIMIT', remaining: 5 }] });
      expect(JSON.parse(answer.body)).toMatchObject({ error: { code: 'RATE_LIMITED' } });
    });

    test('is told of its mistake by a status and a message, which is encoded where it has to be', async () => {
      expect(await decide({ ...question(name, 1n), domain: '' })).toEqual({
        ...GRPC,
        status: 3,
        message: 'rate limit domain must not be empty',
        body: undefined,
      });
      expect(await decide(question(name, 2n ** 53n))).toMatchObject({
        status: 3,
        message: 'descriptors[0].hits_addend must be an integer from 0 to 9007199254740991',
      });
    });

    test('is told every character of a message that is not of ASCII', async () => {
      const service = 'größer 100 % "\n\t\u{1F600}';
      expect(await ask(server.grpcPort, 'Check', health(service))).toEqual({
        ...GRPC,
        status: 5,
        message: `unknown service ${service}`,
        body: undefined,
      });
    });

    test('is told the health', async () => {
      const { body, ...rest } = await ask(server.grpcPort, 'Check', health('ratelimit'));
      expect(rest).toEqual({ ...GRPC, status: 0, message: '' });
      expect(fromBinary(HealthCheckResponseSchema, Buffer.from(body ?? '', 'hex')).status).toBe(1);
    });

    test('may send metadata of every kind, of bytes and of its own time, and gets none of it back', async () => {
      const metadata = { 'x-text': 'text, and "more"', 'x-bytes-bin': 'AAEC/w==', 'grpc-timeout': '10S' };
      const answer = await ask(server.grpcPort, 'ShouldRateLimit', encoded(question('peek', 0n)), metadata);
      expect(answer).toMatchObject({ ...GRPC, status: 0, message: '' });
    });
  });
});

function decoded(body: string | undefined) {
  return answerOf(fromBinary(RateLimitResponseSchema, Buffer.from(body ?? '', 'hex')));
}
