/** ShouldRateLimit by every client that could be on the other end, with one shape of question and answer for all. */
import { fileURLToPath } from 'node:url';
import { create, fromJsonString, type MessageInitShape, toJsonString } from '@bufbuild/protobuf';
import { Code, ConnectError, createClient, type Transport } from '@connectrpc/connect';
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from '@connectrpc/connect-node';
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import {
  RateLimitRequestSchema,
  type RateLimitResponse,
  RateLimitResponse_Code,
  RateLimitResponse_RateLimit_Unit,
  RateLimitResponseSchema,
  RateLimitService,
} from '../../src/gen/envoy/service/ratelimit/v3/rls_pb.ts';
import { http1 } from './clients-http.ts';

export const RLS_PATH = '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit';

export interface Entry {
  readonly key: string;
  readonly value: string;
}

export interface AskedDescriptor {
  readonly entries: readonly Entry[];
  readonly hitsAddend?: bigint;
  readonly isNegativeHits?: boolean;
  /** The unit by number: 7, the week, has a name only in answers. */
  readonly limit?: { readonly requestsPerUnit: number; readonly unit: number };
}

export interface Question {
  readonly domain: string;
  readonly descriptors: readonly AskedDescriptor[];
  readonly hitsAddend?: number;
}

export interface AnsweredStatus {
  readonly code: string;
  readonly limit?: { readonly requestsPerUnit: number; readonly unit: string; readonly name: string };
  readonly remaining: number;
  readonly resetSeconds?: number;
}

export interface Answer {
  readonly code: string;
  readonly statuses: readonly AnsweredStatus[];
  /** As they came, in order. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

/** A call that was not answered; the code by its name in the gRPC specification. */
export class CallFailed extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = 'CallFailed';
    this.code = code;
  }
}

/** Whom a client trusts, and what it shows of itself. */
export interface ClientTls {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

export interface RlsClient {
  /** @throws CallFailed */
  ask(question: Question): Promise<Answer>;
  close(): void;
}

/** All of them, by name; each opens its own connection to `origin`, by TLS if that begins with `https:`. */
export const RLS_CLIENTS: Readonly<Record<string, (origin: string, tls?: ClientTls) => RlsClient>> = {
  'grpc-js': grpcJsClient,
  'gRPC by connect-node': (baseUrl, nodeOptions = {}) => connectClient(createGrpcTransport({ baseUrl, nodeOptions })),
  'gRPC-Web over HTTP/1.1': (baseUrl, nodeOptions = {}) =>
    connectClient(createGrpcWebTransport({ baseUrl, nodeOptions, httpVersion: '1.1', useBinaryFormat: true })),
  'gRPC-Web over HTTP/2': (baseUrl, nodeOptions = {}) =>
    connectClient(createGrpcWebTransport({ baseUrl, nodeOptions, httpVersion: '2', useBinaryFormat: true })),
  'Connect in JSON over HTTP/1.1': connectProtocol('1.1', false),
  'Connect in JSON over HTTP/2': connectProtocol('2', false),
  'Connect in binary over HTTP/1.1': connectProtocol('1.1', true),
  'Connect in binary over HTTP/2': connectProtocol('2', true),
  'a bare POST as by curl': curlClient,
};

function connectProtocol(httpVersion: '1.1' | '2', useBinaryFormat: boolean) {
  return (baseUrl: string, nodeOptions: ClientTls = {}) =>
    connectClient(createConnectTransport({ baseUrl, httpVersion, useBinaryFormat, nodeOptions }));
}

function connectClient(transport: Transport): RlsClient {
  const client = createClient(RateLimitService, transport);
  return {
    async ask(question) {
      try {
        return answerOf(await client.shouldRateLimit(messageOf(question)));
      } catch (error) {
        const { code, rawMessage } = ConnectError.from(error);
        throw new CallFailed(statusName(Code[code] as string), rawMessage);
      }
    },
    close: () => undefined,
  };
}

function curlClient(origin: string, tls: ClientTls = {}): RlsClient {
  return {
    async ask(question) {
      const body = toJsonString(RateLimitRequestSchema, messageOf(question));
      const call = { method: 'POST', headers: { 'content-type': 'application/json' }, body, tls };
      const { status, text } = await http1(origin + RLS_PATH, call);
      if (status === 200) return answerOf(fromJsonString(RateLimitResponseSchema, text));
      const { code, message } = JSON.parse(text) as { code: string; message: string };
      throw new CallFailed(code.toUpperCase(), message);
    },
    close: () => undefined,
  };
}

/** With the messages as protobufjs reads them from proto/, so that two implementations of protobuf must agree. */
export function grpcJsClient(origin: string, tls?: ClientTls): RlsClient {
  const root = fileURLToPath(new URL('../../proto', import.meta.url));
  const options = { includeDirs: [root], longs: Number, enums: String, defaults: true };
  const loaded = loadSync('envoy/service/ratelimit/v3/rls.proto', options);
  const definition = loaded['envoy.service.ratelimit.v3.RateLimitService'] as grpc.ServiceDefinition;
  const Service = grpc.makeGenericClientConstructor(definition, 'RateLimitService');
  const client = new Service(new URL(origin).host, credentialsOf(tls));
  const call = client.ShouldRateLimit?.bind(client) as (
    question: object,
    done: (error: grpc.ServiceError | null, response: GrpcJsResponse) => void,
  ) => void;
  return {
    ask: (question) =>
      new Promise((resolve, reject) => {
        call(grpcJsMessage(question), (error, response) => {
          // grpc-js leaves characters like `:` as the percent code that they came in.
          if (error) reject(new CallFailed(grpc.status[error.code] as string, decodeURIComponent(error.details)));
          else resolve(grpcJsAnswer(response));
        });
      }),
    close: () => client.close(),
  };
}

export function credentialsOf(tls: ClientTls | undefined): grpc.ChannelCredentials {
  if (tls === undefined) return grpc.credentials.createInsecure();
  return grpc.credentials.createSsl(tls.ca ?? null, tls.key ?? null, tls.cert ?? null);
}

/** What protobufjs makes of a response, with defaults filled in and message fields null where absent. */
interface GrpcJsResponse {
  readonly overallCode: string;
  readonly statuses: readonly {
    readonly code: string;
    readonly currentLimit: { requestsPerUnit: number; unit: string; name: string } | null;
    readonly limitRemaining: number;
    readonly durationUntilReset: { readonly seconds: number; readonly nanos: number } | null;
  }[];
  readonly responseHeadersToAdd: readonly { readonly key: string; readonly value: string }[];
  readonly rawBody: Buffer;
}

function grpcJsMessage({ descriptors, ...rest }: Question): object {
  const wrapped = descriptors.map(({ hitsAddend, ...descriptor }) =>
    hitsAddend === undefined ? descriptor : { ...descriptor, hitsAddend: { value: String(hitsAddend) } },
  );
  return { ...rest, descriptors: wrapped };
}

function grpcJsAnswer(response: GrpcJsResponse): Answer {
  return {
    code: response.overallCode,
    statuses: response.statuses.map(({ code, currentLimit, limitRemaining, durationUntilReset }) => ({
      code,
      remaining: limitRemaining,
      ...(currentLimit ? { limit: { ...currentLimit } } : {}),
      ...(durationUntilReset ? { resetSeconds: secondsOf(durationUntilReset) } : {}),
    })),
    headers: response.responseHeadersToAdd.map(({ key, value }) => [key, value] as const),
    body: response.rawBody.toString(),
  };
}

/** @param question may hold an enum number that has no name */
export function messageOf(question: Question) {
  return create(RateLimitRequestSchema, question as MessageInitShape<typeof RateLimitRequestSchema>);
}

export function answerOf(response: RateLimitResponse): Answer {
  return {
    code: nameOf(RateLimitResponse_Code, response.overallCode),
    statuses: response.statuses.map(({ code, currentLimit, limitRemaining, durationUntilReset }) => ({
      code: nameOf(RateLimitResponse_Code, code),
      remaining: limitRemaining,
      ...(currentLimit ? { limit: limitOf(currentLimit) } : {}),
      ...(durationUntilReset ? { resetSeconds: secondsOf(durationUntilReset) } : {}),
    })),
    headers: response.responseHeadersToAdd.map(({ key, value }) => [key, value] as const),
    body: Buffer.from(response.rawBody).toString(),
  };
}

function limitOf({ requestsPerUnit, unit, name }: { requestsPerUnit: number; unit: number; name: string }) {
  return { requestsPerUnit, unit: nameOf(RateLimitResponse_RateLimit_Unit, unit), name };
}

function nameOf(values: Readonly<Record<string, number>>, value: number): string {
  return Object.keys(values).find((name) => values[name] === value) ?? String(value);
}

function secondsOf({ seconds, nanos }: { seconds: number | bigint; nanos: number }): number {
  return Number(seconds) + nanos / 1e9;
}

function statusName(camelCase: string): string {
  return camelCase.replace(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase();
}
