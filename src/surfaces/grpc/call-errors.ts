/** What went wrong, as a gRPC status. Envoy treats all of them alike; operators do not. */
import { Code, ConnectError } from '@connectrpc/connect';
import { InvalidApiKey, InvalidRequest, Undecidable } from '../../core/errors.ts';
import type { Log } from '../../ports/log.ts';

/** Unexpected errors are logged here and told to nobody else. */
export function toConnectError(error: unknown, log: Log): ConnectError {
  if (error instanceof ConnectError) return error;
  if (error instanceof InvalidRequest) return new ConnectError(error.message, Code.InvalidArgument);
  if (error instanceof InvalidApiKey) return new ConnectError(error.message, Code.Unauthenticated);
  if (error instanceof Undecidable) return new ConnectError(`${error.code}: ${error.message}`, Code.Unavailable);
  // Node's, for a request whose client went away in the middle of it: nobody's mistake, and nobody waits for this.
  if ((error as NodeJS.ErrnoException | undefined)?.code === 'ERR_STREAM_PREMATURE_CLOSE')
    return new ConnectError('the client is gone', Code.Canceled);
  log.error({ err: error }, 'a call failed unexpectedly');
  return new ConnectError('internal error', Code.Internal);
}

/** As the gRPC specification spells it: `INVALID_ARGUMENT`. */
export function statusName(error: unknown): string {
  const code = error instanceof ConnectError ? error.code : Code.Unknown;
  return (Code[code] ?? 'Unknown').replace(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase();
}
