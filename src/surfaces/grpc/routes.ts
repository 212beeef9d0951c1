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
import { ServerReflection } from '../../gen/grpc/reflection/v1/reflection_pb.ts';
import { ServerReflection as ServerReflectionAlpha } from '../../gen/grpc/reflection/v1alpha/reflection_pb.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { CallSpan, Tracer } from '../../ports/tracer.ts';
import type { HealthState } from '../health/health-state.ts';
import { check, watch } from '../health/service.ts';
import { DescriptorFiles } from '../reflection/descriptor-files.ts';
import { reflect } from '../reflection/service.ts';
import { shouldRateLimit } from '../rls/service.ts';
import { statusName, toConnectError } from './call-errors.ts';

export interface RouteOptions {
  readonly limiter: Limiter;
  readonly health: HealthState;
  readonly log: Log;
  readonly tracer: Tracer | undefined;
  readonly clock: Clock;
  /**
   * Told of each unary call when it ends, whatever its status: the method by its short name (`ShouldRateLimit`, `Check`),
   * and how long its handler took. Streams are not calls to be timed: they last as long as their clients want.
   */
  readonly onCall?: ((method: string, durationMillis: number) => void) | undefined;
}

/** As the reference: enough for DESCRIPTORS_MAX descriptors of ordinary size. */
const MESSAGE_BYTES_MAX = 4 * 1_024 * 1_024;

const SERVICES = [RateLimitService, Health, ServerReflection, ServerReflectionAlpha];

const spanKey = createContextKey<CallSpan | undefined>(undefined, { description: 'the span of the call' });

/** @param draining aborted when the server is on its way out: streams that clients hold open end then */
export function routesOf(options: RouteOptions, draining: AbortSignal): (router: ConnectRouter) => void {
  const { limiter, health } = options;
  const files = new DescriptorFiles(SERVICES);
  return (router) => {
    router.service(RateLimitService, {
      shouldRateLimit: (request, context) => shouldRateLimit(limiter, request, callOf(context)),
    });
    router.service(Health, {
      check: (request) => check(health, request),
      watch: (request, context) => watch(health, request, context.signal),
    });
    router.service(ServerReflection, { serverReflectionInfo: (requests) => reflect(files, requests, draining) });
    router.service(ServerReflectionAlpha, { serverReflectionInfo: (requests) => reflect(files, requests, draining) });
  };
}

export function routerOptionsOf({ log, tracer, clock, onCall }: RouteOptions): ConnectRouterOptions {
  const interceptors = [errorInterceptor(log)];
  if (tracer) interceptors.unshift(tracingInterceptor(tracer));
  if (onCall) interceptors.unshift(timingInterceptor(clock, onCall));
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

function timingInterceptor(clock: Clock, onCall: NonNullable<RouteOptions['onCall']>): Interceptor {
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
