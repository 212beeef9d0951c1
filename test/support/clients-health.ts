/** grpc.health.v1 by a gRPC client: one state, or all of them as they come. */
import { fileURLToPath } from 'node:url';
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

interface HealthAnswer {
  readonly status: string;
}

export class HealthClient {
  readonly #client: grpc.Client;
  readonly #methods: Readonly<Record<'Check' | 'Watch', grpc.MethodDefinition<object, HealthAnswer>>>;

  constructor(origin: string) {
    const root = fileURLToPath(new URL('../../proto', import.meta.url));
    const loaded = loadSync('grpc/health/v1/health.proto', { includeDirs: [root], enums: String, defaults: true });
    this.#methods = loaded['grpc.health.v1.Health'] as never;
    this.#client = new grpc.Client(new URL(origin).host, grpc.credentials.createInsecure());
  }

  /** @throws grpc.ServiceError */
  check(service: string): Promise<string> {
    const { path, requestSerialize, responseDeserialize } = this.#methods.Check;
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(path, requestSerialize, responseDeserialize, { service }, (error, answer) => {
        if (error) reject(error);
        else resolve(answer?.status ?? '');
      });
    });
  }

  watch(service: string): Watch {
    const { path, requestSerialize, responseDeserialize } = this.#methods.Watch;
    return new Watch(this.#client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, { service }));
  }

  close(): void {
    this.#client.close();
  }
}

/** An open watch. */
export class Watch {
  /** The states so far. */
  readonly states: string[] = [];
  /** The name of the status that ended the stream. */
  readonly ended: Promise<string>;
  readonly #stream: grpc.ClientReadableStream<HealthAnswer>;
  #wake: () => void = () => undefined;

  constructor(stream: grpc.ClientReadableStream<HealthAnswer>) {
    this.#stream = stream;
    stream.on('data', ({ status }: HealthAnswer) => {
      this.states.push(status);
      this.#wake();
    });
    stream.on('error', () => undefined);
    this.ended = new Promise((resolve) => {
      stream.on('status', ({ code }) => resolve(grpc.status[code] as string));
    });
  }

  /** Settles when there are so many states. */
  async count(states: number): Promise<void> {
    while (this.states.length < states) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  cancel(): void {
    this.#stream.cancel();
  }
}
