/** grpc.reflection by a gRPC client that reads the protos itself. */
import { fileURLToPath } from 'node:url';
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

export interface ReflectionAnswer {
  readonly validHost: string;
  readonly originalRequest: object;
  readonly fileDescriptorResponse?: { readonly fileDescriptorProto: readonly Buffer[] };
  readonly allExtensionNumbersResponse?: { readonly baseTypeName: string; readonly extensionNumber: readonly number[] };
  readonly listServicesResponse?: { readonly service: readonly { readonly name: string }[] };
  readonly errorResponse?: { readonly errorCode: number; readonly errorMessage: string };
}

type Stream = grpc.ClientDuplexStream<object, ReflectionAnswer>;

export class ReflectionClient {
  readonly #client: grpc.Client;
  readonly #method: grpc.MethodDefinition<object, ReflectionAnswer>;

  /** @param target `host:port` */
  constructor(target: string, version: 'v1' | 'v1alpha') {
    const root = fileURLToPath(new URL('../../proto', import.meta.url));
    const options = { includeDirs: [root], arrays: true };
    const loaded = loadSync(`grpc/reflection/${version}/reflection.proto`, options);
    const service = loaded[`grpc.reflection.${version}.ServerReflection`] as grpc.ServiceDefinition;
    this.#method = service.ServerReflectionInfo as grpc.MethodDefinition<object, ReflectionAnswer>;
    this.#client = new grpc.Client(target, grpc.credentials.createInsecure());
  }

  /** All questions in one stream. @returns the answers, in order @throws grpc.ServiceError */
  ask(questions: readonly object[]): Promise<readonly ReflectionAnswer[]> {
    const stream = this.#open();
    const answers: ReflectionAnswer[] = [];
    stream.on('data', (answer: ReflectionAnswer) => answers.push(answer));
    for (const question of questions) stream.write(question);
    stream.end();
    return new Promise((resolve, reject) => {
      stream.on('error', reject);
      stream.on('end', () => resolve(answers));
    });
  }

  /** Asks once and leaves the stream open. Settles when that is answered; `ended` is the name of the status at its end. */
  async hold(): Promise<{ readonly ended: Promise<string> }> {
    const stream = this.#open();
    stream.on('error', () => undefined);
    const ended = new Promise<string>((resolve) => {
      stream.on('status', ({ code }) => resolve(grpc.status[code] as string));
    });
    stream.write({ listServices: '' });
    await new Promise((resolve) => stream.once('data', resolve));
    return { ended };
  }

  close(): void {
    this.#client.close();
  }

  #open(): Stream {
    const { path, requestSerialize, responseDeserialize } = this.#method;
    return this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
  }
}
