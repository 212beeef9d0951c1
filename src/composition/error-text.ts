/** What an operator is told of an error that ends the process. */

/** The codes of EnvError, PolicyFileError, ListenError and WorkerFailure. */
const OPERATORS_CODES: readonly unknown[] = ['CONFIG_INVALID', 'POLICY_INVALID', 'LISTEN_FAILED', 'WORKER_FAILED'];

/** One line for what an operator can mend, everything for what a developer must. */
export function errorText(error: unknown): string {
  const isOurs = error instanceof Error && OPERATORS_CODES.includes((error as { code?: unknown }).code);
  return isOurs ? error.message : ((error as Error).stack ?? String(error));
}
