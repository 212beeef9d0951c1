/** What the OpenTelemetry SDK complains of, such as a collector that cannot be reached, in the service's own log. */
import { DiagLogLevel, diag } from '@opentelemetry/api';
import type { Log } from '../ports/log.ts';

/** All of it warnings: no decision depends on telemetry. */
export function logDiagnostics(log: Log): void {
  const warn = (text: string): void => log.warn({ reason: reasonOf(text) }, 'telemetry has a problem');
  const ignore = (): void => undefined;
  const logger = { error: warn, warn, info: ignore, debug: ignore, verbose: ignore };
  diag.setLogger(logger, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
}

/** The SDK writes an error as JSON of all it has, its stack and what the collector answered included. */
function reasonOf(text: string): string {
  const message = /"message":("(?:[^"\\]|\\.)*")/.exec(text)?.[1];
  return message === undefined ? text : (JSON.parse(message) as string);
}
