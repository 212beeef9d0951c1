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
  ATTR_RPC_METHOD,
  ATTR_RPC_STATUS_CODE,
  ATTR_RPC_SYSTEM_NAME,
} from '@opentelemetry/semantic-conventions';
import type { Decision } from '../core/decision.ts';
import type { Undecidable } from '../core/errors.ts';
import type { CallSpan, CallStart, Tracer } from '../ports/tracer.ts';
import { type OtelEnvironment, wantedFormats } from './otel-env.ts';
import { type Result, resultOf, tellingStatus } from './told.ts';

/** OpenTelemetry's RPC conventions: a server span fails with these; OVER_LIMIT is an ordinary response. */
const SERVER_FAILURES: ReadonlySet<string> = new Set([
  'UNKNOWN',
  'DEADLINE_EXCEEDED',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
]);

/** What `rpc.status_code` was called in semantic conventions 1.39 to 1.44, and what backends look for. */
const ATTR_RPC_RESPONSE_STATUS_CODE = 'rpc.response.status_code';

// There is no convention for rate limiting: these carry the service's own name.
const DECISION = 'headroom.rate_limiting';

export class OtelTracer implements Tracer {
  readonly #tracer: ApiTracer = trace.getTracer('headroom');
  /** Whether the caller's decision not to sample binds us, as it does with the SDK's default sampler. */
  readonly #followsParent: boolean;
  readonly #formats: { readonly w3c: boolean; readonly b3: boolean };
  readonly #asksRedis: boolean;

  /** @param asksRedis whether counters are in Redis: memory is not called, so it has no spans */
  constructor(env: OtelEnvironment, asksRedis: boolean) {
    this.#followsParent = (env.OTEL_TRACES_SAMPLER || 'parentbased_always_on').startsWith('parentbased_');
    this.#formats = wantedFormats(env);
    this.#asksRedis = asksRedis;
  }

  start(call: CallStart): CallSpan | undefined {
    // Most calls of a busy gateway are not sampled: they end here, with nothing allocated.
    if (this.#followsParent && this.#isUnsampled(call)) return undefined;
    const parent = propagation.extract(ROOT_CONTEXT, call, GETTER);
    const span = this.#tracer.startSpan(
      call.name,
      { kind: SpanKind.SERVER, attributes: startAttributes(call) },
      parent,
    );
    if (!span.isRecording()) return undefined;
    const storeTracer = this.#asksRedis ? this.#tracer : undefined;
    return new OtelCallSpan(span, trace.setSpan(parent, span), call.protocol, storeTracer);
  }

  /** Says no in the words of any of the three formats; saying nothing is not a no. */
  #isUnsampled({ header }: CallStart): boolean {
    const traceparent = this.#formats.w3c ? header('traceparent') : undefined;
    // version-traceid-parentid-flags: the last bit of the flags is `sampled` (W3C Trace Context §3.2.2.5).
    if (traceparent?.length === 55) return (traceparent.charCodeAt(54) & 1) === 0;
    if (!this.#formats.b3) return false;
    const single = header('b3');
    return single ? isUnsampledB3(single) : header('x-b3-sampled') === '0';
  }
}

/** `start` reads headers by name alone, so nothing has to list them. */
const GETTER = {
  keys: (): string[] => [],
  get: (call: CallStart, name: string): string | undefined => call.header(name.toLowerCase()),
};

/** traceid-spanid-sampled, with or without a parent's id after it; or `0` alone. */
function isUnsampledB3(single: string): boolean {
  const dash = single.indexOf('-', single.indexOf('-') + 1);
  return single === '0' || (dash > 0 && single.charAt(dash + 1) === '0');
}

function startAttributes({ protocol, name }: CallStart): Attributes {
  if (protocol !== 'http') return { [ATTR_RPC_SYSTEM_NAME]: protocol, [ATTR_RPC_METHOD]: name };
  const [method = '', route = ''] = name.split(' ');
  const attributes = { [ATTR_HTTP_REQUEST_METHOD]: method };
  return route.startsWith('/') ? { ...attributes, [ATTR_HTTP_ROUTE]: route } : attributes;
}

class OtelCallSpan implements CallSpan {
  readonly #span: Span;
  readonly #context: Context;
  readonly #protocol: CallStart['protocol'];
  readonly #storeTracer: ApiTracer | undefined;

  constructor(span: Span, context: Context, protocol: CallStart['protocol'], storeTracer: ApiTracer | undefined) {
    this.#span = span;
    this.#context = context;
    this.#protocol = protocol;
    this.#storeTracer = storeTracer;
  }

  storeCall(hits: number): (error: Undecidable | undefined) => void {
    const span = this.#storeTracer?.startSpan(
      'EVALSHA take',
      {
        kind: SpanKind.CLIENT,
        attributes: {
          [ATTR_DB_SYSTEM_NAME]: 'redis',
          [ATTR_DB_OPERATION_NAME]: 'EVALSHA',
          [ATTR_DB_STORED_PROCEDURE_NAME]: 'take',
          [`${DECISION}.hits`]: hits,
        },
      },
      this.#context,
    );
    return (error) => {
      if (error) this.#setResult('error');
      if (span) endStoreSpan(span, error);
    };
  }

  decided(domain: string | undefined, decision: Decision): void {
    const { reason } = decision;
    this.#setResult(resultOf(reason));
    this.#span.setAttribute(`${DECISION}.reason`, reason);
    if (domain !== undefined) this.#span.setAttribute(`${DECISION}.domain`, domain);
    const told = tellingStatus(decision);
    if (told?.limit === undefined || told.reported === undefined) return;
    this.#span.setAttributes({
      [`${DECISION}.policy`]: told.limit.policy,
      [`${DECISION}.window`]: told.reported.window.name,
      [`${DECISION}.limit`]: told.reported.window.max,
      [`${DECISION}.remaining`]: told.reported.remaining,
    });
  }

  end(status: string, error?: unknown): void {
    if (this.#protocol === 'http') this.#endHttp(Number(status));
    else this.#endRpc(status, error);
    this.#span.end();
  }

  #setResult(result: Result): void {
    this.#span.setAttribute(`${DECISION}.result`, result);
  }

  #endRpc(status: string, error: unknown): void {
    // The Connect protocol spells its errors in lower case, and has no word for success.
    const code = this.#protocol === 'connectrpc' && status !== 'OK' ? status.toLowerCase() : status;
    this.#span.setAttributes({ [ATTR_RPC_STATUS_CODE]: code, [ATTR_RPC_RESPONSE_STATUS_CODE]: code });
    if (!SERVER_FAILURES.has(status)) return;
    this.#span.setAttribute(ATTR_ERROR_TYPE, code);
    this.#span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.message : status });
  }

  #endHttp(status: number): void {
    this.#span.setAttribute(ATTR_HTTP_RESPONSE_STATUS_CODE, status);
    if (status < 500) return;
    this.#span.setAttribute(ATTR_ERROR_TYPE, String(status));
    this.#span.setStatus({ code: SpanStatusCode.ERROR });
  }
}

/** A call that was never sent leaves no span: what is not ended is not exported. */
function endStoreSpan(span: Span, error: Undecidable | undefined): void {
  if (error?.code === 'STORE_OPEN' || error?.code === 'STORE_BUSY') return;
  if (error) {
    span.setAttribute(ATTR_ERROR_TYPE, error.code);
    span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
  }
  span.end();
}
