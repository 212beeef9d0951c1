/** What gRPC's wire is owed beside the answer: no compression unasked, the size bound, deadlines. */
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { until } from '../support/children.ts';
import { encoded, frame, grpcBytes, padded } from '../support/clients-grpc.ts';
import { type HttpAnswer, http1, http2, postJson } from '../support/clients-http.ts';
import { grpcJsClient, RLS_PATH } from '../support/clients-rls.ts';
import { type InProcess, startInProcess } from '../support/in-process.ts';
import { TestRedis } from '../support/redis.ts';

const POLICY = `
domain: doors
descriptors:
  - key: user
    limits:
      - { requests: 5, per: year }
`;

const OK = 0;
const INVALID_ARGUMENT = 3;
const DEADLINE_EXCEEDED = 4;
const RESOURCE_EXHAUSTED = 8;
const UNIMPLEMENTED = 12;
const UNAVAILABLE = 14;
const MESSAGE_BYTES_MAX = 4 * 1_024 * 1_024;

function question(value: string, hitsAddend = 1n) {
  return { domain: 'doors', descriptors: [{ entries: [{ key: 'user', value }], hitsAddend }] };
}

describe('with memory counters', () => {
  let server: InProcess;

  beforeAll(async () => {
    server = await startInProcess([POLICY]);
  });

  afterAll(() => server.stop());

  // Long enough that any server that compresses at all would.
  const long = {
    domain: 'doors',
    descriptors: Array.from({ length: 300 }, () => question('long', 0n).descriptors[0]!),
  };

  test('an answer by gRPC is not compressed though the client accepts gzip', async () => {
    const headers = { 'grpc-accept-encoding': 'identity,deflate,gzip' };
    const answer = await grpcBytes(server.grpc, { body: frame(encoded(long)), headers });
    expect(answer).toMatchObject({ status: OK, flags: 0 });
    expect([undefined, 'identity']).toContain(answer.headers['grpc-encoding']);
  });

  test('an answer by gRPC-Web is not compressed though the client accepts gzip', async () => {
    const headers = { 'content-type': 'application/grpc-web+proto', 'grpc-accept-encoding': 'gzip' };
    const answer = await http2(server.grpc + RLS_PATH, { headers, body: frame(encoded(long)) });
    expect(answer.status).toBe(200);
    expect(answer.headers['grpc-encoding']).toBeUndefined();
    expect(answer.body[0]).toBe(0);
  });

  test('an answer by Connect is not compressed though the client accepts gzip', async () => {
    const headers = { 'content-type': 'application/proto', 'accept-encoding': 'gzip, br' };
    const answer = await http1(server.grpc + RLS_PATH, { method: 'POST', headers, body: encoded(long) });
    expect(answer.status).toBe(200);
    expect(answer.headers['content-encoding']).toBeUndefined();
  });

  test('a compressed request is refused as unimplemented', async () => {
    const call = { body: frame(encoded(long), 1), headers: { 'grpc-encoding': 'gzip' } };
    expect(await grpcBytes(server.grpc, call)).toMatchObject({ status: UNIMPLEMENTED });
  });

  test('a message of exactly the largest size is decided', async () => {
    const body = frame(padded(encoded(question('large')), MESSAGE_BYTES_MAX));
    expect(await grpcBytes(server.grpc, { body })).toMatchObject({ status: OK, message: '' });
  });

  test('one byte more is RESOURCE_EXHAUSTED, and charges nothing', async () => {
    const body = frame(padded(encoded(question('larger')), MESSAGE_BYTES_MAX + 1));
    expect(await grpcBytes(server.grpc, { body })).toMatchObject({
      status: RESOURCE_EXHAUSTED,
      message: 'message size 4194305 is larger than configured readMaxBytes 4194304',
    });
    expect(await remainingOf(server, 'larger')).toBe(5);
  });

  test('an announced size over the bound is refused before the bytes are there', async () => {
    const body = Buffer.from('00ffffffff', 'hex');
    expect(await grpcBytes(server.grpc, { body })).toMatchObject({ status: RESOURCE_EXHAUSTED });
  });

  test('a client that still sends when it has its answer is told to stop, without an error', async () => {
    const session = connectHttp2(server.grpc);
    const headers = { ':method': 'POST', ':path': RLS_PATH, 'content-type': 'application/grpc', te: 'trailers' };
    const stream = session.request(headers);
    const trailers = once(stream, 'trailers');
    stream.resume();
    stream.write(Buffer.from('00ffffffff', 'hex'));
    await once(stream, 'close');
    const [fields] = await trailers;
    session.destroy();
    expect(stream.rstCode).toBe(0);
    expect(fields['grpc-status']).toBe(String(RESOURCE_EXHAUSTED));
  });

  test('a deadline that has passed on arrival is UNAVAILABLE, and charges nothing', async () => {
    const call = { body: frame(encoded(question('late'))), headers: { 'grpc-timeout': '1m' } };
    const message = 'STORE_TIMEOUT: the deadline of the call has passed';
    expect(await grpcBytes(server.grpc, call)).toMatchObject({ status: UNAVAILABLE, message });
    expect(await remainingOf(server, 'late')).toBe(5);
  });

  test('a malformed deadline is the mistake of the caller', async () => {
    const call = { body: frame(encoded(question('odd'))), headers: { 'grpc-timeout': 'soon' } };
    expect(await grpcBytes(server.grpc, call)).toMatchObject({ status: INVALID_ARGUMENT });
    expect(await remainingOf(server, 'odd')).toBe(5);
  });

  test('a method that does not exist is nothing, by any protocol', async () => {
    const path = `${RLS_PATH}Please`;
    expect(await grpcBytes(server.grpc, { body: frame(encoded(long)), path })).toMatchObject({ httpStatus: 404 });
    expect((await postJson(server.grpc + path, {})).status).toBe(404);
  });

  test('a content type that no protocol has is refused with 415', async () => {
    const headers = { 'content-type': 'text/plain' };
    expect((await http2(server.grpc + RLS_PATH, { headers, body: 'hello' })).status).toBe(415);
    expect((await http1(server.grpc + RLS_PATH, { method: 'POST', headers, body: 'hello' })).status).toBe(415);
  });

  test('a method other than POST is refused with 405', async () => {
    expect((await http2(server.grpc + RLS_PATH, { method: 'GET' })).status).toBe(405);
    expect((await http1(server.grpc + RLS_PATH)).status).toBe(405);
  });
});

describe('with a Redis that has stopped answering', () => {
  let redis: TestRedis;
  let server: InProcess;

  beforeAll(async () => {
    redis = await TestRedis.start();
    // So long that only the deadline of a call can have ended it.
    server = await startInProcess([POLICY], { REDIS_URL: redis.socket, REDIS_OP_TIMEOUT: '60s' });
    await until('Redis decides', async () => (await askByConnect(server, 'first')).status === 200);
  });

  afterAll(async () => {
    redis.thaw();
    await server.stop();
    await redis.stop();
  });

  test('a call by gRPC is answered by its grpc-timeout', async () => {
    redis.freeze();
    const body = frame(encoded(question('waits')));
    const answer = await grpcBytes(server.grpc, { body, headers: { 'grpc-timeout': '200m' } });
    expect([UNAVAILABLE, DEADLINE_EXCEEDED]).toContain(answer.status);
  });

  test('a call by Connect is answered by its connect-timeout-ms', async () => {
    redis.freeze();
    expect([503, 504]).toContain((await askByConnect(server, 'waits')).status);
  });

  test('a call that meets no limit is answered at once', async () => {
    redis.freeze();
    const client = grpcJsClient(server.grpc);
    const answer = await client.ask({ domain: 'doors', descriptors: [{ entries: [{ key: 'free', value: '' }] }] });
    client.close();
    expect(answer).toMatchObject({ code: 'OK', statuses: [{ code: 'OK' }] });
  });
});

function askByConnect(server: InProcess, value: string): Promise<HttpAnswer> {
  const headers = { 'content-type': 'application/json', 'connect-timeout-ms': '200' };
  const body = JSON.stringify({ domain: 'doors', descriptors: [{ entries: [{ key: 'user', value }] }] });
  return http1(server.grpc + RLS_PATH, { method: 'POST', headers, body });
}

async function remainingOf(server: InProcess, value: string): Promise<number | undefined> {
  const client = grpcJsClient(server.grpc);
  const { statuses } = await client.ask(question(value, 0n));
  client.close();
  return statuses[0]?.remaining;
}
