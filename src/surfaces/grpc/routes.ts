/** What is served on the gRPC port, as Connect routes: gRPC, gRPC-Web and Connect from the same handlers. */
import {
  type ConnectRouter,
  type ConnectRouterOptions,
  createContextKey,
  type HandlerContext,
  type Interceptor,
} from '@connectrpc/connect';
import type { Limiter } from '../../app/limiter.ts';
import { RateLimitService } from '../../gen/envoy/service/ratelimit/v3/rls_pb.ts';
import { Health } from '../../gen/grpc/health/v1/health_pb.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { CallSpan, Tracer } from '../../ports/tracer.ts';
import type { HealthState } from '../health/health-state.ts';
import { check, watch } from '../health/service.ts';
import { shouldRateLimit } from '../rls/service.ts';
import { statusName, toConnectError } from './call-errors.ts';

export interface RouteOptions {
  readonly limiter: Limiter;
  readonly health: HealthState;
  readonly log: Log;
  readonly tracer: Tracer | undefined;
  /** Absent: nobody counts calls. */
  readonly calls?: CallCounter | undefined;
}

/** Who counts unary calls of the gRPC port, whatever they are answered. */
export interface CallCounter {
  readonly clock: Clock;
  /** @param method its name without the service */
  readonly onCall: (method: string, millis: number) => void;
}

/** As the reference: enough for DESCRIPTORS_MAX descriptors of ordinary size. */
const MESSAGE_BYTES_MAX = 4 * 1_024 * 1_024;

const spanKey = createContextKey<CallSpan | undefined>(undefined, { description: 'the span of the call' });

export function routesOf(options: RouteOptions): (router: ConnectRouter) => void {
  const { limiter, health } = options;
  return (router) => {
    router.service(RateLimitService, {
      shouldRateLimit: (request, context) => shouldRateLimit(limiter, request, callOf(context)),
    });
    router.service(Health, {
      check: (request) => check(health, request),
      watch: (request, context) => watch(health, request, context.signal),
    });
  };
}

export function routerOptionsOf({ log, tracer, calls }: RouteOptions): ConnectRouterOptions {
  const interceptors = [errorInterceptor(log)];
  if (tracer) interceptors.unshift(tracingInterceptor(tracer));
  if (calls) interceptors.unshift(countingInterceptor(calls));
  return {
    interceptors,
    readMaxBytes: MESSAGE_BYTES_MAX,
    // Envoy rejects a compressed frame, whatever it accepts.
    acceptCompression: [],
    jsonOptions: { ignoreUnknownFields: false },
  };
}

function callOf(context: HandlerContext) {
  return { door: 'rls', remainingMillis: context.timeoutMs(), trace: context.values.get(spanKey) } as const;
}

function errorInterceptor(log: Log): Interceptor {
  return (next) => async (request) => {
    try {
      return await next(request);
    } catch (error) {
      throw toConnectError(error, log);
    }
  };
}

function countingInterceptor({ clock, onCall }: CallCounter): Interceptor {
  return (next) => async (request) => {
    if (request.stream) return next(request);
    const startedAt = clock.monotonicMillis();
    try {
      return await next(request);
    } finally {
      onCall(request.method.name, clock.monotonicMillis() - startedAt);
    }
  };
}

function tracingInterceptor(tracer: Tracer): Interceptor {
  return (next) => async (request) => {
    const span = tracer.start({
      name: `${request.service.typeName}/${request.method.name}`,
      protocol: request.header.get('content-type')?.startsWith('application/grpc') ? 'grpc' : 'connectrpc',
      header: (name) => request.header.get(name) ?? undefined,
    });
    if (span === undefined) return next(request);
    request.contextValues.set(spanKey, span);
    try {
      const response = await next(request);
      span.end('OK');
      return response;
    } catch (error) {
      span.end(statusName(error), error);
      throw error;
    }
  };
}
