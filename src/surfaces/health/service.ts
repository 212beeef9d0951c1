/** grpc.health.v1: the state of the server under the names that gateways ask for. */
import { create } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import { RateLimitService } from '../../gen/envoy/service/ratelimit/v3/rls_pb.ts';
import {
  type HealthCheckRequest,
  type HealthCheckResponse,
  HealthCheckResponseSchema,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from '../../gen/grpc/health/v1/health_pb.ts';
import type { HealthState } from './health-state.ts';

/** The whole server, the reference's name for itself, and the service proper. */
const SERVICES: ReadonlySet<string> = new Set(['', 'ratelimit', RateLimitService.typeName]);

export function check(health: HealthState, { service }: HealthCheckRequest): HealthCheckResponse {
  if (!SERVICES.has(service)) throw new ConnectError(`unknown service ${service}`, Code.NotFound);
  return response(statusOf(health));
}

/** Tells each change, and ends by itself when the server is on its way out: an open watch must not hold that up. */
export async function* watch(
  health: HealthState,
  { service }: HealthCheckRequest,
  signal: AbortSignal,
): AsyncGenerator<HealthCheckResponse> {
  let told: ServingStatus | undefined;
  for (;;) {
    // Asked for before the state is told: what changes while that is being sent is not missed.
    const changed = health.changed(signal);
    const status = SERVICES.has(service) ? statusOf(health) : ServingStatus.SERVICE_UNKNOWN;
    if (status !== told) yield response(status);
    told = status;
    if (health.draining || signal.aborted) return;
    await changed;
    if (signal.aborted) return;
  }
}

function statusOf(health: HealthState): ServingStatus {
  return health.serving ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
}

function response(status: ServingStatus): HealthCheckResponse {
  return create(HealthCheckResponseSchema, { status });
}
