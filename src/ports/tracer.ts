/** Who traces calls. Absent altogether when no exporter is configured. */
import type { CallTrace } from './observer.ts';

/** The span of one call. */
export interface CallSpan extends CallTrace {
  /** @param status the protocol's name or number for how it ended @param error only for failures of this service */
  end(status: string, error?: unknown): void;
}

export interface CallStart {
  /** How the span is called: `package.Service/Method`, or `METHOD /route`. */
  readonly name: string;
  readonly protocol: 'grpc' | 'connectrpc' | 'http';
  /** Reads a request header by its lower-case name. */
  readonly header: (name: string) => string | undefined;
}

export interface Tracer {
  /** Continues the caller's trace or begins one. @returns undefined if it is not sampled */
  start(call: CallStart): CallSpan | undefined;
}
