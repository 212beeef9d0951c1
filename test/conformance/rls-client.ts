/** ShouldRateLimit and health checks as the case files write them: short questions in, short answers out. */
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { type Client, Code, ConnectError, createClient } from '@connectrpc/connect';
import { createGrpcTransport, Http2SessionManager } from '@connectrpc/connect-node';
import {
  RateLimitRequestSchema,
  type RateLimitResponse,
  RateLimitResponse_Code,
  RateLimitService,
  RateLimitResponse_RateLimit_Unit as Unit,
} from '../../src/gen/envoy/service/ratelimit/v3/rls_pb.ts';
import { Health, HealthCheckResponse_ServingStatus as ServingStatus } from '../../src/gen/grpc/health/v1/health_pb.ts';
import type { Call } from './case-format.ts';

const CALL_TIMEOUT_MILLIS = 10_000;

export interface Refusal {
  /** `CONNECTION_LOST` if it is not the service that said so. */
  readonly error: { readonly code: string; readonly message: string };
}

export interface ShortAnswer {
  readonly overall_code: string;
  readonly statuses: readonly { readonly limit_remaining: number; readonly [field: string]: unknown }[];
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly dynamic_metadata: unknown;
}

export class CaseClient {
  readonly #session: Http2SessionManager;
  readonly #limits: Client<typeof RateLimitService>;
  readonly #health: Client<typeof Health>;

  constructor(origin: string) {
    this.#session = new Http2SessionManager(origin);
    const transport = createGrpcTransport({ baseUrl: origin, sessionManager: this.#session });
    this.#limits = createClient(RateLimitService, transport);
    this.#health = createClient(Health, transport);
  }

  call(question: Call): Promise<ShortAnswer | Refusal> {
    return answered(async () => shortAnswer(await this.#limits.shouldRateLimit(messageOf(question), DEADLINE)));
  }

  health(service: string): Promise<{ status: string } | Refusal> {
    return answered(async () => {
      const { status } = await this.#health.check({ service }, DEADLINE);
      return { status: nameOf(ServingStatus, status) };
    });
  }

  close(): void {
    this.#session.abort();
  }
}

const DEADLINE = { timeoutMs: CALL_TIMEOUT_MILLIS };

async function answered<T>(ask: () => Promise<T>): Promise<T | Refusal> {
  try {
    return await ask();
  } catch (error) {
    const { code, rawMessage, cause } = ConnectError.from(error);
    // What the service itself says has no cause: it is read from the trailers of an answer.
    const isLost = code === Code.Unavailable && cause !== undefined;
    const name = (Code[code] as string).replaceAll(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase();
    return { error: { code: isLost ? 'CONNECTION_LOST' : name, message: rawMessage } };
  }
}

function messageOf({ domain, descriptors, hits_addend = 0 }: Call) {
  const message = {
    domain,
    hitsAddend: hits_addend,
    descriptors: descriptors.map(({ entries, hits_addend: hits, limit }) => ({
      entries: entries.map(([key, value]) => ({ key, value })),
      ...(hits === undefined ? {} : { hitsAddend: BigInt(hits) }),
      ...(limit ? { limit: { requestsPerUnit: limit.requests_per_unit, unit: unitNumber(limit.unit) } } : {}),
    })),
  };
  return create(RateLimitRequestSchema, message as MessageInitShape<typeof RateLimitRequestSchema>);
}

/** The request's own enum ends before the week: as on the wire, only the number counts. */
function unitNumber(unit: string | number): number {
  if (typeof unit === 'number') return unit;
  return unit === 'UNKNOWN_UNIT' ? 0 : Unit[unit as keyof typeof Unit];
}

function shortAnswer(response: RateLimitResponse): ShortAnswer {
  return {
    overall_code: nameOf(RateLimitResponse_Code, response.overallCode),
    statuses: response.statuses.map(({ code, currentLimit: limit, limitRemaining, durationUntilReset: reset }) => ({
      code: nameOf(RateLimitResponse_Code, code),
      ...(limit
        ? { requests_per_unit: limit.requestsPerUnit, unit: nameOf(Unit, limit.unit) }
        : { no_limit: true as const }),
      ...(limit?.name ? { name: limit.name } : {}),
      limit_remaining: limitRemaining,
      ...(reset ? { reset: String(reset.seconds) } : {}),
    })),
    headers: response.responseHeadersToAdd.map(({ key, value }) => [key, value] as const),
    dynamic_metadata: response.dynamicMetadata ?? null,
  };
}

function nameOf(numbers: Readonly<Record<string, number>>, number: number): string {
  return Object.keys(numbers).find((name) => numbers[name] === number) ?? String(number);
}
