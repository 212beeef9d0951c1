/** Calls that one side ends before the other: neither waits for what will not come, and the log is not filled. */
import { once } from 'node:events';
import { type ClientHttp2Session, connect } from 'node:http2';
import { Readable } from 'node:stream';
import { Code } from '@connectrpc/connect';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { toConnectError } from '../../src/surfaces/grpc/call-errors.ts';
import { encoded, frame } from '../support/clients-grpc.ts';
import { RLS_PATH } from '../support/clients-rls.ts';
import { settled } from '../support/clock.ts';
import { GrpcPort } from '../support/grpc-port.ts';

const QUESTION = { domain: 'closient', descriptors: [{ entries: [{ key: 'api_key', value: 'k' }] }] };

let port: GrpcPort;
let session: ClientHttp2Session;

beforeEach(async () => {
  port = await GrpcPort.start();
  session = connect(`http://127.0.0.1:${port.port}`);
  session.on('error', () => undefined);
  await answeredPing(session);
});

afterEach(() => {
  session.destroy();
  return port.stop(0);
});

function answeredPing(client: ClientHttp2Session): Promise<unknown> {
  return new Promise((resolve) => client.ping(resolve));
}

function open(path: string, contentType: string) {
  const fields = { ':method': 'POST', ':path': path, 'content-type': contentType, te: 'trailers' };
  return session.request(fields);
}

describe('a client that still sends when it has its answer is told to stop', () => {
  test.each<[answer: string, path: string, contentType: string, sent: Uint8Array, status: number]>([
    ['that there is no such method', '/nope', 'application/grpc', Buffer.from('x'), 404],
    ['by gRPC', RLS_PATH, 'application/grpc', Buffer.concat([frame(encoded(QUESTION)), Buffer.alloc(9)]), 200],
    ['by gRPC-Web', RLS_PATH, 'application/grpc-web', Buffer.concat([frame(encoded(QUESTION)), Buffer.alloc(9)]), 200],
    ['by Connect, that it is too long', RLS_PATH, 'application/proto', Buffer.alloc(4 * 1_024 * 1_024 + 1), 429],
    ['by Connect, to a type that it does not know', RLS_PATH, 'text/plain', Buffer.from('x'), 415],
  ])('%s', async (_answer, path, contentType, sent, status) => {
    const stream = open(path, contentType);
    stream.write(sent);
    const [fields] = (await once(stream, 'response')) as [Record<string, unknown>];
    expect(fields[':status']).toBe(status);
    stream.resume();
    await once(stream, 'close');
    // NO_ERROR
    expect(stream.rstCode).toBe(0);
  });
});

test('a client that vanishes in the middle of its question is no error of ours', async () => {
  const question = new Readable({ read: () => undefined });
  const read = question.toArray().catch((error: Error) => error);
  await settled();
  question.destroy();
  expect(toConnectError(await read, port.logger)).toMatchObject({ code: Code.Canceled });
  expect(port.log).toEqual([]);
});
