/** The servers behind the gRPC port that an operator may choose from: each test of the wire runs against all of them. */

export type Transport = 'lean' | 'node';

/** The first is the default. */
export const TRANSPORTS: readonly Transport[] = ['lean', 'node'];

/** Of a test that names none: the default, unless the whole run is for another one (scripts/test.ts). */
export const TRANSPORT: Transport =
  TRANSPORTS.find((transport) => transport === process.env.GRPC_TRANSPORT) ?? (TRANSPORTS[0] as Transport);

/** For a service, in a process of its own or in the test's. */
export function transportEnv(transport: Transport): Readonly<Record<string, string>> {
  return { GRPC_TRANSPORT: transport };
}
