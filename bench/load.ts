/** Closed-loop load: so many calls in flight, each answer checked and at once followed by the next call. */
import {
  type ClientHttp2Session,
  connect,
  constants,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
} from 'node:http2';
import { readAnswer } from './answer.ts';
import { METHOD_PATH } from './workload.ts';

export interface LoadOptions {
  readonly port: number;
  readonly connections: number;
  readonly inflight: number;
}

/** One call to make. */
export interface Call {
  readonly frame: Buffer;
  /** The overall code that the answer must carry. */
  readonly code: number;
}

/** What a closed loop asks next; undefined ends one of its lanes. */
export type NextCall = () => Call | undefined;

/** @param code what was answered, which is what had to be */
export type OnAnswer = (millis: number, code: number) => void;

type Headers = IncomingHttpHeaders & IncomingHttpStatusHeader;

// What Envoy sends, too; the deadline is far off, since calls wait for their turn in a closed loop.
const HEADERS = {
  ':method': 'POST',
  ':scheme': 'http',
  ':path': METHOD_PATH,
  ':authority': '127.0.0.1',
  te: 'trailers',
  'content-type': 'application/grpc',
  'grpc-timeout': '30S',
};

export class Load {
  readonly #sessions: readonly ClientHttp2Session[];
  readonly #inflight: number;

  private constructor(sessions: readonly ClientHttp2Session[], inflight: number) {
    this.#sessions = sessions;
    this.#inflight = inflight;
  }

  static async open({ port, connections, inflight }: LoadOptions): Promise<Load> {
    const sessions = Array.from({ length: connections }, () => connect(`http://127.0.0.1:${port}`));
    await Promise.all(sessions.map(connected));
    return new Load(sessions, inflight);
  }

  /**
   * Settles when `next` has ended every lane, and so no call is in flight.
   * @param onAnswer told of every answer that is as it should be
   * @throws Error for the first answer that is not
   */
  async run(next: NextCall, onAnswer: OnAnswer): Promise<void> {
    const lanes = Array.from({ length: this.#inflight }, (_, index) => {
      const session = this.#sessions[index % this.#sessions.length] as ClientHttp2Session;
      return runLane(session, next, onAnswer);
    });
    await Promise.all(lanes);
  }

  close(): void {
    for (const session of this.#sessions) session.destroy();
  }
}

function connected(session: ClientHttp2Session): Promise<void> {
  return new Promise((resolve, reject) => {
    session.once('error', reject);
    session.once('connect', () => resolve());
  });
}

function runLane(session: ClientHttp2Session, next: NextCall, onAnswer: OnAnswer): Promise<void> {
  return new Promise((resolve, reject) => {
    const step = (): void => {
      const call = next();
      if (call === undefined) {
        resolve();
        return;
      }
      const startedAt = performance.now();
      ask(session, call, (problem) => {
        if (problem !== undefined) {
          reject(new Error(problem));
          return;
        }
        onAnswer(performance.now() - startedAt, call.code);
        step();
      });
    };
    step();
  });
}

/** @param done called once, with what is wrong with the answer or with undefined */
function ask(session: ClientHttp2Session, call: Call, done: (problem: string | undefined) => void): void {
  const stream = session.request(HEADERS, { endStream: false });
  let headers: Headers | undefined;
  let trailers: IncomingHttpHeaders | undefined;
  let body: Buffer | undefined;
  let failure: Error | undefined;
  stream.on('response', (received) => {
    headers = received;
  });
  stream.on('data', (chunk: Buffer) => {
    body = body === undefined ? chunk : Buffer.concat([body, chunk]);
  });
  stream.on('trailers', (received) => {
    trailers = received;
  });
  stream.on('error', (error) => {
    failure = error;
  });
  stream.on('close', () => done(failure?.message ?? problemOf(stream.rstCode, headers, body, trailers, call.code)));
  stream.end(call.frame);
}

function problemOf(
  resetCode: number,
  headers: Headers | undefined,
  body: Buffer | undefined,
  trailers: IncomingHttpHeaders | undefined,
  code: number,
): string | undefined {
  if (headers === undefined) return 'a call ended without an answer';
  const said = trailers ?? headers;
  if (said['grpc-status'] !== '0') {
    return `grpc-status is ${said['grpc-status'] ?? 'missing'}: ${said['grpc-message'] ?? ''}`;
  }
  if (headers[':status'] !== 200) return `the HTTP status is ${headers[':status']}`;
  if (headers['content-type']?.startsWith('application/grpc') !== true) {
    return `the content type is ${headers['content-type']}`;
  }
  if (resetCode !== constants.NGHTTP2_NO_ERROR) return `the stream was reset with code ${resetCode}`;
  const answer = body === undefined ? undefined : readAnswer(body);
  if (answer === undefined) return `an answer is malformed: ${body?.toString('hex') ?? 'empty'}`;
  if (answer.code !== code) return `an answer says ${answer.code} where the policy says ${code}`;
  if (answer.statuses !== 1 || answer.headers === 0) {
    return `an answer has ${answer.statuses} statuses and ${answer.headers} headers`;
  }
  return undefined;
}
