/** Callers of the API: they send requests to the gateway and keep what came back, byte for byte. */
import { Agent, type IncomingMessage, request } from 'node:http';

export interface Reply {
  readonly status: number;
  /** As on the wire: one pair per header line. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
  /** Unix milliseconds. */
  readonly sentAt: number;
  /** Unix milliseconds. */
  readonly answeredAt: number;
}

export interface CallerRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export class Callers {
  readonly #port: number;
  // As many connections as requests at once: callers do not share any.
  readonly #agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });

  /** @param port of the gateway on this machine */
  constructor(port: number) {
    this.#port = port;
  }

  /** One request, with an API key unless it is undefined. Fails only when there is no answer at all. */
  ask(apiKey: string | undefined, { method = 'GET', headers = {} }: CallerRequest = {}): Promise<Reply> {
    const key = apiKey === undefined ? {} : { 'x-api-key': apiKey };
    return new Promise((resolve, reject) => {
      const sentAt = Date.now();
      const options = { port: this.#port, agent: this.#agent, method, headers: { ...headers, ...key } };
      const call = request(options, (response) => {
        readBody(response).then((body) => {
          const status = response.statusCode as number;
          resolve({ status, headers: pairs(response.rawHeaders), body, sentAt, answeredAt: Date.now() });
        }, reject);
      });
      call.on('error', reject);
      call.end();
    });
  }

  /** So many requests at once. */
  burst(count: number, apiKey: string | undefined): Promise<readonly Reply[]> {
    return Promise.all(Array.from({ length: count }, () => this.ask(apiKey)));
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** The values of every line of this header. */
export function linesOf({ headers }: Reply, name: string): readonly string[] {
  return headers.filter(([found]) => found.toLowerCase() === name.toLowerCase()).map(([, value]) => value);
}

/** How many replies had which status. */
export function statusCounts(replies: readonly Reply[]): Readonly<Record<number, number>> {
  const counts: Record<number, number> = {};
  for (const { status } of replies) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

async function readBody(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function pairs(raw: readonly string[]): readonly (readonly [string, string])[] {
  return Array.from({ length: raw.length / 2 }, (_, index) => [raw[2 * index] as string, raw[2 * index + 1] as string]);
}
