/** Unary calls by gRPC from clients of four makes, and all that each of them shows of the answer, in one shape. */
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type DescMethodUnary, fromBinary, toBinary } from '@bufbuild/protobuf';
import { ConnectError } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import * as grpc from '@grpc/grpc-js';
import { RateLimitService } from '../../src/gen/envoy/service/ratelimit/v3/rls_pb.ts';
import { Health } from '../../src/gen/grpc/health/v1/health_pb.ts';
import { frame } from './clients-grpc.ts';
import { dataFrames } from './http2-frames.ts';
import { Http2Peer, head } from './http2-peer.ts';

export const WIRE_METHODS = {
  ShouldRateLimit: RateLimitService.method.shouldRateLimit,
  Check: Health.method.check,
} as const;
export type WireMethod = keyof typeof WIRE_METHODS;

export interface WireAnswer {
  readonly contentType: string | undefined;
  readonly status: number;
  /** Decoded. */
  readonly message: string;
  /** Every field of the head and of the trailers but those of gRPC itself and `date`, in alphabetical order. */
  readonly otherFields: readonly string[];
  /** The message in hex; undefined without one. */
  readonly body: string | undefined;
}

export type WireClient = (
  port: number,
  method: WireMethod,
  message: Uint8Array,
  metadata?: Readonly<Record<string, string>>,
) => Promise<WireAnswer>;

/** Whether curl is there and speaks HTTP/2; Debian's does. */
export const CURL_SPEAKS_HTTP2 = ((): boolean => {
  try {
    return / HTTP2 /.test(execFileSync('curl', ['--version'], { encoding: 'utf8' }));
  } catch {
    return false;
  }
})();

export const WIRE_CLIENTS: Readonly<Record<string, WireClient>> = {
  'frames by hand': byFrames,
  'grpc-js': byGrpcJs,
  'connect-node': byConnect,
  ...(CURL_SPEAKS_HTTP2 ? { curl: byCurl } : {}),
};

const PREFIX_BYTES = 5;
/** What grpc-js, which decodes by `decodeURI`, leaves encoded. */
const LEFT_BY_GRPC_JS = /%(23|24|26|2B|2C|2F|3A|3B|3D|3F|40)/g;
const OF_GRPC = new Set([':status', 'content-type', 'grpc-status', 'grpc-message', 'date']);

function pathOf(method: WireMethod): string {
  const { parent, name } = WIRE_METHODS[method];
  return `/${parent.typeName}/${name}`;
}

function answerOf(fields: Readonly<Record<string, string>>, body: Buffer): WireAnswer {
  return {
    contentType: fields['content-type'],
    status: Number(fields['grpc-status']),
    message: decodeURIComponent(fields['grpc-message'] ?? ''),
    otherFields: Object.keys(fields)
      .filter((name) => !OF_GRPC.has(name))
      .sort(),
    body: body.length === 0 ? undefined : body.subarray(PREFIX_BYTES).toString('hex'),
  };
}

async function byFrames(port: number, method: WireMethod, message: Uint8Array, metadata = {}): Promise<WireAnswer> {
  const peer = await Http2Peer.open(port);
  peer.send(head(1, { ...metadata, ':path': pathOf(method) }), dataFrames(1, frame(message)));
  const { headers, trailers, body } = await peer.answer(1);
  peer.close();
  return answerOf({ ...headers, ...trailers }, body);
}

function byGrpcJs(port: number, method: WireMethod, question: Uint8Array, metadata = {}): Promise<WireAnswer> {
  const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  const sent = new grpc.Metadata();
  for (const [name, value] of Object.entries<string>(metadata)) {
    sent.set(name, name.endsWith('-bin') ? Buffer.from(value, 'base64') : value);
  }
  const asIs = (bytes: Buffer): Buffer => bytes;
  return new Promise((resolve) => {
    let fields: Record<string, string> = {};
    let body: Buffer | undefined;
    const call = client.makeUnaryRequest(pathOf(method), asIs, asIs, Buffer.from(question), sent, (_error, value) => {
      body = value;
    });
    const take = (received: grpc.Metadata): void => {
      fields = { ...fields, ...(received.getMap() as Record<string, string>) };
    };
    call.on('metadata', take);
    call.on('status', ({ code, details, metadata: trailers }) => {
      take(trailers);
      client.close();
      const message = details.replace(LEFT_BY_GRPC_JS, decodeURIComponent);
      const answer = answerOf({ ...fields, 'grpc-status': String(code) }, Buffer.alloc(0));
      // The call's own callback comes after this.
      setImmediate(() => resolve({ ...answer, message, body: body?.toString('hex') }));
    });
  });
}

async function byConnect(port: number, name: WireMethod, message: Uint8Array, metadata = {}): Promise<WireAnswer> {
  const transport = createGrpcTransport({ baseUrl: `http://127.0.0.1:${port}` });
  const method: DescMethodUnary = WIRE_METHODS[name];
  try {
    const question = fromBinary(method.input, message);
    const answer = await transport.unary(method, undefined, undefined, metadata, question);
    const fields = { ...Object.fromEntries(answer.header), ...Object.fromEntries(answer.trailer) };
    return {
      ...answerOf(fields, Buffer.alloc(0)),
      body: Buffer.from(toBinary(method.output, answer.message)).toString('hex'),
    };
  } catch (error) {
    const { code, rawMessage, metadata: fields } = ConnectError.from(error);
    return { ...answerOf(Object.fromEntries(fields), Buffer.alloc(0)), status: code, message: rawMessage };
  }
}

async function byCurl(port: number, method: WireMethod, message: Uint8Array, metadata = {}): Promise<WireAnswer> {
  const folder = mkdtempSync(join(tmpdir(), 'headroom-curl-'));
  const [question, answer, fields] = ['question', 'answer', 'fields'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(question, frame(message));
  const headers = { 'content-type': 'application/grpc', te: 'trailers', ...metadata };
  const given = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
  const files = ['--data-binary', `@${question}`, '-o', answer, '-D', fields];
  const url = `http://127.0.0.1:${port}${pathOf(method)}`;
  await promisify(execFile)('curl', ['-sS', '--http2-prior-knowledge', ...given, ...files, url]);
  const lines = readFileSync(fields, 'latin1').split('\r\n');
  const body = readFileSync(answer, { flag: 'a+' });
  rmSync(folder, { recursive: true });
  // The first line is the status; an empty one stands between the head and the trailers.
  const pairs = lines.slice(1).filter((line) => line.includes(': '));
  return answerOf(Object.fromEntries(pairs.map((line) => line.split(': ', 2))), body);
}
