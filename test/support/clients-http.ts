/** HTTP calls as bare as a test needs them: any method with any body, HTTP/1.1 and HTTP/2 without TLS, raw bytes. */
import { type Agent, type IncomingHttpHeaders, request } from 'node:http';
import { connect, type IncomingHttpHeaders as Http2Headers } from 'node:http2';
import { type RequestOptions, request as requestByTls } from 'node:https';
import { connect as connectTcp } from 'node:net';

export interface HttpCall {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Without one, the connection is closed afterwards. */
  readonly agent?: Agent;
  /** For an address that begins with `https:`. */
  readonly tls?: Pick<RequestOptions, 'ca' | 'cert' | 'key'>;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** The body goes out with a content-length whatever the method, which `fetch` refuses for GET. */
export function http1(
  url: string,
  { method = 'GET', headers = {}, body, agent, tls }: HttpCall = {},
): Promise<HttpAnswer> {
  const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
  return new Promise((resolve, reject) => {
    const send = url.startsWith('https:') ? requestByTls : request;
    const call = send(
      url,
      { ...tls, method, headers: { ...length, ...headers }, agent: agent ?? false },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
        });
      },
    );
    call.on('error', reject);
    call.end(body);
  });
}

export function postJson(url: string, value: unknown): Promise<HttpAnswer> {
  const body = typeof value === 'string' ? value : JSON.stringify(value);
  return http1(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
}

export interface Http2Answer {
  readonly status: number;
  readonly headers: Http2Headers;
  /** Empty if the answer was headers only. */
  readonly trailers: Http2Headers;
  readonly body: Buffer;
}

/** One call on a connection of its own, with prior knowledge of HTTP/2. */
export function http2(url: string, { method = 'POST', headers = {}, body }: HttpCall): Promise<Http2Answer> {
  const { origin, pathname } = new URL(url);
  return new Promise((resolve, reject) => {
    const session = connect(origin);
    session.on('error', reject);
    const stream = session.request({ ':method': method, ':path': pathname, ...headers });
    const chunks: Buffer[] = [];
    let answered: Http2Headers = {};
    let trailers: Http2Headers = {};
    stream.on('response', (fields) => {
      answered = fields;
    });
    stream.on('trailers', (fields) => {
      trailers = fields;
    });
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('error', reject);
    // Not 'close': a server may answer before it has read the whole body.
    stream.on('end', () => {
      resolve({ status: Number(answered[':status'] ?? 0), headers: answered, trailers, body: Buffer.concat(chunks) });
      session.destroy();
    });
    stream.end(body);
  });
}

/** Bytes in, bytes out: what the peer wrote until it closed the connection. */
export function rawBytes(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp(port, '127.0.0.1', () => socket.write(bytes));
    let answer = '';
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1');
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(answer));
  });
}
