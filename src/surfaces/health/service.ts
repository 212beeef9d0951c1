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

/** Ends by itself once the server no longer serves: an open watch must not hold up a shutdown. */
export async function* watch(
  health: HealthState,
  { service }: HealthCheckRequest,
  signal: AbortSignal,
): AsyncGenerator<HealthCheckResponse> {
  if (!SERVICES.has(service)) {
    yield response(ServingStatus.SERVICE_UNKNOWN);
    await health.changed(signal);
    return;
  }
  yield response(statusOf(health));
  if (!health.serving) return;
  await health.changed(signal);
  if (!signal.aborted) yield response(statusOf(health));
}

function statusOf(health: HealthState): ServingStatus {
  return health.serving ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
}

function response(status: ServingStatus): HealthCheckResponse {
  return create(HealthCheckResponseSchema, { status });
}
