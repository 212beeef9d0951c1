/** `grpc-timeout`: read in every unit, and kept by the server whatever its store does. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { until } from '../../support/children.ts';
import { dataFrames } from '../../support/http2-frames.ts';
import { Http2Peer, head, QUESTION_BYTES } from '../../support/http2-peer.ts';
import { type InProcess, startInProcess } from '../../support/in-process.ts';
import { TestRedis } from '../../support/redis.ts';
import { TRANSPORTS, transportEnv } from '../../support/transports.ts';

const POLICY = `
domain: closient
descriptors:
  - key: api_key
    limits: [{ requests: 1000000, per: year }]
`;
const INVALID_ARGUMENT = '3';
const UNAVAILABLE = '14';
// What a busy machine may add.
const SLACK_MILLIS = 1_500;

describe.each(TRANSPORTS)('%s:', (transport) => {
  let redis: TestRedis;
  let server: InProcess;
  let peer: Http2Peer;

  beforeAll(async () => {
    redis = await TestRedis.start();
    // So long that only the deadline of a call can have ended it.
    server = await startInProcess([POLICY], {
      ...transportEnv(transport),
      REDIS_URL: redis.socket,
      REDIS_OP_TIMEOUT: '3s',
    });
    peer = await Http2Peer.open(server.grpcPort);
    let stream = -1;
    await until('Redis decides', async () => {
      stream += 2;
      peer.call(stream);
      return (await peer.answer(stream)).trailers['grpc-status'] === '0';
    });
    peer.close();
  });

  beforeEach(async () => {
    peer = await Http2Peer.open(server.grpcPort);
  });

  afterEach(() => {
    peer.close();
    redis.thaw();
  });

  afterAll(async () => {
    redis.thaw();
    await server.stop();
    await redis.stop();
  });

  async function ask(stream: number, timeout: string): Promise<{ status: string; message: string; millis: number }> {
    const startedAt = performance.now();
    peer.send(head(stream, { 'grpc-timeout': timeout }), dataFrames(stream, QUESTION_BYTES));
    const { headers, trailers } = await peer.answer(stream);
    const fields: Record<string, string> = { ...headers, ...trailers };
    return {
      status: fields['grpc-status'] ?? `HTTP ${fields[':status']}`,
      message: decodeURIComponent(fields['grpc-message'] ?? ''),
      millis: performance.now() - startedAt,
    };
  }

  test.each(['1H', '1M', '9S', '9000m', '9000000u', '00000009S', '8760H'])('%s is time enough', async (timeout) => {
    expect(await ask(1, timeout)).toMatchObject({ status: '0', message: '' });
  });

  test.each(['0H', '0S', '0n', '1n', '1u', '1000n', '1m'])('%s has passed on arrival', async (timeout) => {
    expect(await ask(1, timeout)).toMatchObject({
      status: UNAVAILABLE,
      message: 'STORE_TIMEOUT: the deadline of the call has passed',
    });
  });

  test.each(['', 'S', '1', '1s', '1X', '-1S', '+1S', '1.5S', '1 S', '123456789S', '0x1S', 'soon'])(
    '"%s" is no time, and a mistake of the caller',
    async (timeout) => {
      expect(await ask(1, timeout)).toMatchObject({
        status: INVALID_ARGUMENT,
        message: `protocol error: invalid grpc timeout value: ${timeout}`,
      });
    },
  );

  test('a call whose store says nothing is answered by its deadline, given in whatever unit', async () => {
    redis.freeze();
    const timeouts: [text: string, millis: number][] = [
      ['99999999n', 100],
      ['300m', 300],
      ['300000u', 300],
      ['1S', 1_000],
    ];
    const answers = await Promise.all(timeouts.map(([text], index) => ask(2 * index + 1, text)));
    answers.forEach(({ status, message, millis }, index) => {
      const bound = timeouts[index]?.[1] as number;
      expect({ status, message }).toEqual({ status: UNAVAILABLE, message: expect.stringContaining('STORE_TIMEOUT') });
      // A few milliseconds before it, so that the answer is there in time.
      expect(millis).toBeGreaterThan(bound - 20);
      expect(millis).toBeLessThan(bound + SLACK_MILLIS);
    });
  });

  test('a call with another on its connection that waits is not held up by it', async () => {
    redis.freeze();
    const waiting = ask(1, '1S');
    const { status, millis } = await ask(3, 'soon');
    expect(status).toBe(INVALID_ARGUMENT);
    expect(millis).toBeLessThan((await waiting).millis);
  });
});
