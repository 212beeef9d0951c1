/** Calls through every door of a running service. */
import { type Client, Code, ConnectError, createClient } from '@connectrpc/connect';
import { createConnectTransport, createGrpcTransport } from '@connectrpc/connect-node';
import { RateLimitService } from '../../src/gen/envoy/service/ratelimit/v3/rls_pb.ts';
import { Health } from '../../src/gen/grpc/health/v1/health_pb.ts';
import type { TestService } from '../support/service.ts';

export const METHOD = 'envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit';

export type Headers = Record<string, string>;

/** One descriptor: `api_key=csk_1`. */
export function descriptorOf(text: string) {
  const [key = '', value = ''] = text.split('=', 2);
  return { entries: [{ key, value }] };
}

export interface Answer {
  readonly status: number;
  readonly text: string;
}

export class Doors {
  readonly #service: TestService;
  readonly #grpc: Client<typeof RateLimitService>;
  readonly #connect: Client<typeof RateLimitService>;
  readonly #health: Client<typeof Health>;

  constructor(service: TestService) {
    this.#service = service;
    const transport = createGrpcTransport({ baseUrl: service.grpc });
    this.#grpc = createClient(RateLimitService, transport);
    this.#health = createClient(Health, transport);
    this.#connect = createClient(
      RateLimitService,
      createConnectTransport({ baseUrl: service.grpc, httpVersion: '1.1', useBinaryFormat: false }),
    );
  }

  /** Over gRPC. @returns the overall code, or the name of the error's code */
  rls(domain: string, descriptors: readonly string[], headers: Headers = {}): Promise<string> {
    return codeOf(this.#grpc.shouldRateLimit({ domain, descriptors: descriptors.map(descriptorOf) }, { headers }));
  }

  /** The same over the Connect protocol. */
  connect(domain: string, descriptors: readonly string[], headers: Headers = {}): Promise<string> {
    return codeOf(this.#connect.shouldRateLimit({ domain, descriptors: descriptors.map(descriptorOf) }, { headers }));
  }

  async health(service = '', headers: Headers = {}): Promise<void> {
    await this.#health.check({ service }, { headers });
  }

  check(body: object, headers: Headers = {}): Promise<Answer> {
    return this.post('/v1/check', JSON.stringify(body), headers);
  }

  json(body: object, headers: Headers = {}): Promise<Answer> {
    return this.post('/json', JSON.stringify(body), headers);
  }

  /** Any body to any path of the HTTP port. */
  async post(path: string, body: string, headers: Headers = {}): Promise<Answer> {
    const response = await fetch(`${this.#service.http}${path}`, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', ...headers },
    });
    return { status: response.status, text: await response.text() };
  }
}

async function codeOf(answer: Promise<{ overallCode: number }>): Promise<string> {
  try {
    return (await answer).overallCode === 1 ? 'OK' : 'OVER_LIMIT';
  } catch (error) {
    return Code[ConnectError.from(error).code] as string;
  }
}
