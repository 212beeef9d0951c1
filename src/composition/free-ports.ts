/** A port 0 as a port of its own: workers come and go, and each of them must open the same. */
import { createServer } from 'node:net';
import type { Config } from '../config/config.ts';
import { listen } from '../surfaces/listen.ts';

/** @returns variables for the workers; none where the ports are given @throws ListenError */
export async function portVariables({ http, grpc }: Config): Promise<Readonly<Record<string, string>>> {
  const open = 'port' in grpc.listen && grpc.listen.port === 0 ? grpc.listen : undefined;
  const wanted = { ...(http.port === 0 ? { PORT: http } : {}), ...(open === undefined ? {} : { GRPC_PORT: open }) };
  // All are held until all are found: no two are the same.
  const held = Object.entries(wanted).map(([variable, { host }]) => ({ variable, host, server: createServer() }));
  const found: Record<string, string> = {};
  try {
    for (const { variable, host, server } of held) found[variable] = String(await listen(server, 0, host));
  } finally {
    for (const { server } of held) server.close();
  }
  return found;
}
