/** Spans of calls and of the store calls inside them. Never holds a key, nor any value of a descriptor. */
import {
  type Tracer as ApiTracer,
  type Attributes,
  type Context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import {
  ATTR_DB_OPERATION_NAME,
  ATTR_DB_STORED_PROCEDURE_NAME,
  ATTR_DB_SYSTEM_NAME,
  ATTR_ERROR_TYPE,
  ATTR_HTTP_REQUEST_METHOD,
  ATTR_HTTP_RESPONSE_STATUS_CODE,
  ATTR_HTTP_ROUTE,
} from '@opentelemetry/semantic-conventions';
import {
  ATTR_RPC_METHOD,
  ATTR_RPC_RESPONSE_STATUS_CODE,
  ATTR_RPC_SYSTEM_NAME,
} from '@opentelemetry/semantic-conventions/incubating';
import type { Decision } from '../core/decision.ts';
import type { Undecidable } from '../core/errors.ts';
import type { CallSpan, CallStart, Tracer } from '../ports/tracer.ts';
import type { OtelEnvironment } from './otel-env.ts';

/** OpenTelemetry's RPC conventions: a server span fails with these; OVER_LIMIT is an ordinary response. */
const SERVER_FAILURES: ReadonlySet<string> = new Set([
  'UNKNOWN',
  'DEADLINE_EXCEEDED',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
]);

export class OtelTracer implements Tracer {
  readonly #tracer: ApiTracer = trace.getTracer('headroom');
  /** Whether the caller's decision not to sample binds us, as it does with the SDK's default sampler. */
  readonly #followsParent: boolean;

  constructor(env: OtelEnvironment) {
    this.#followsParent = (env.OTEL_TRACES_SAMPLER || 'parentbased_always_on').startsWith('parentbased_');
  }

  start(call: CallStart): CallSpan | undefined {
    // Most calls of a busy gateway are not sampled: they end here, with nothing allocated.
    if (this.#followsParent && isUnsampled(call)) return undefined;
    const parent = propagation.extract(ROOT_CONTEXT, call, GETTER);
    const span = this.#tracer.startSpan(
      call.name,
      { kind: SpanKind.SERVER, attributes: startAttributes(call) },
      parent,
    );
    if (!span.isRecording()) return undefined;
    return new OtelCallSpan(this.#tracer, span, trace.setSpan(parent, span), call.protocol);
  }
}

/** `start` reads headers by name alone, so nothing has to list them. */
const GETTER = {
  keys: (): string[] => [],
  get: (call: CallStart, name: string): string | undefined => call.header(name.toLowerCase()),
};

/** Says no in the words of any of the three formats; saying nothing is not a no. */
function isUnsampled({ header }: CallStart): boolean {
  const traceparent = header('traceparent');
  // version-traceid-parentid-flags: the last bit of the flags is `sampled` (W3C Trace Context §3.2.2.5).
  if (traceparent?.length === 55) return (traceparent.charCodeAt(54) & 1) === 0;
  const sampled = header('x-b3-sampled');
  if (sampled !== undefined) return sampled === '0';
  const single = header('b3');
  return single !== undefined && (single === '0' || single.split('-', 3)[2] === '0');
}

function startAttributes({ protocol, name }: CallStart): Attributes {
  if (protocol !== 'http') return { [ATTR_RPC_SYSTEM_NAME]: protocol, [ATTR_RPC_METHOD]: name };
  const [method = '', route = ''] = name.split(' ');
  return { [ATTR_HTTP_REQUEST_METHOD]: method, [ATTR_HTTP_ROUTE]: route };
}

class OtelCallSpan implements CallSpan {
  readonly #tracer: ApiTracer;
  readonly #span: Span;
  readonly #context: Context;
  readonly #protocol: CallStart['protocol'];

  constructor(tracer: ApiTracer, span: Span, context: Context, protocol: CallStart['protocol']) {
    this.#tracer = tracer;
    this.#span = span;
    this.#context = context;
    this.#protocol = protocol;
  }

  storeCall(hits: number): (error: Undecidable | undefined) => void {
    const span = this.#tracer.startSpan(
      'take',
      {
        kind: SpanKind.CLIENT,
        attributes: {
          [ATTR_DB_SYSTEM_NAME]: 'redis',
          [ATTR_DB_OPERATION_NAME]: 'EVALSHA',
          [ATTR_DB_STORED_PROCEDURE_NAME]: 'take',
          'headroom.rate_limiting.hits': hits,
        },
      },
      this.#context,
    );
    return (error) => {
      if (error) {
        span.setAttribute(ATTR_ERROR_TYPE, error.code);
        span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
      }
      span.end();
    };
  }

  decided(domain: string, { reason, allowed, deciding }: Decision): void {
    this.#span.setAttributes({
      'headroom.rate_limiting.domain': domain,
      'headroom.rate_limiting.result': allowed ? 'allowed' : 'limited',
      'headroom.rate_limiting.reason': reason,
    });
    if (deciding?.limit === undefined || deciding.reported === undefined) return;
    this.#span.setAttributes({
      'headroom.rate_limiting.policy': deciding.limit.policy,
      'headroom.rate_limiting.window': deciding.reported.window.name,
      'headroom.rate_limiting.limit': deciding.reported.window.max,
      'headroom.rate_limiting.remaining': deciding.reported.remaining,
    });
  }

  end(status: string, error?: unknown): void {
    if (this.#protocol === 'http') this.#endHttp(Number(status));
    else this.#endRpc(status, error);
    this.#span.end();
  }

  #endRpc(status: string, error: unknown): void {
    this.#span.setAttribute(ATTR_RPC_RESPONSE_STATUS_CODE, status);
    if (!SERVER_FAILURES.has(status)) return;
    this.#span.setAttribute(ATTR_ERROR_TYPE, status);
    this.#span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.message : status });
  }

  #endHttp(status: number): void {
    this.#span.setAttribute(ATTR_HTTP_RESPONSE_STATUS_CODE, status);
    if (status < 500) return;
    this.#span.setAttribute(ATTR_ERROR_TYPE, String(status));
    this.#span.setStatus({ code: SpanStatusCode.ERROR });
  }
}
