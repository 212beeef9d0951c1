/** grpc.reflection, v1 and v1alpha alike: answers what clients ask before they can call. */
import { Code } from '@connectrpc/connect';
import type { ServerReflectionRequest } from '../../gen/grpc/reflection/v1/reflection_pb.ts';
import type { ServerReflectionRequest as ServerReflectionRequestAlpha } from '../../gen/grpc/reflection/v1alpha/reflection_pb.ts';
import type { DescriptorFiles } from './descriptor-files.ts';

type Request = ServerReflectionRequest | ServerReflectionRequestAlpha;
type Asked = Request['messageRequest'];

/** Ends with the client's questions, or when `signal` is aborted: an idle stream must not hold up a shutdown. */
export async function* reflect<T extends Request>(
  files: DescriptorFiles,
  requests: AsyncIterable<T>,
  signal: AbortSignal,
) {
  for await (const request of untilAborted(requests, signal)) {
    const messageResponse = answer(files, request.messageRequest);
    yield { validHost: request.host, originalRequest: request, messageResponse };
  }
}

function answer(files: DescriptorFiles, asked: Asked) {
  switch (asked.case) {
    case 'listServices':
      return {
        case: 'listServicesResponse' as const,
        value: { service: files.serviceNames.map((name) => ({ name })) },
      };
    case 'fileByFilename':
      return filesOr(files.byName(asked.value), `unknown file ${asked.value}`);
    case 'fileContainingSymbol':
      return filesOr(files.bySymbol(asked.value), `unknown symbol ${asked.value}`);
    case 'fileContainingExtension':
      return error(Code.NotFound, `unknown extension ${asked.value.extensionNumber} of ${asked.value.containingType}`);
    case 'allExtensionNumbersOfType':
      if (!files.isMessage(asked.value)) return error(Code.NotFound, `unknown message ${asked.value}`);
      return { case: 'allExtensionNumbersResponse' as const, value: { baseTypeName: asked.value } };
    default:
      return error(Code.InvalidArgument, 'message_request: nothing is asked for');
  }
}

function filesOr(fileDescriptorProto: readonly Uint8Array[] | undefined, otherwise: string) {
  if (fileDescriptorProto === undefined) return error(Code.NotFound, otherwise);
  return { case: 'fileDescriptorResponse' as const, value: { fileDescriptorProto: [...fileDescriptorProto] } };
}

function error(errorCode: Code, errorMessage: string) {
  return { case: 'errorResponse' as const, value: { errorCode, errorMessage } };
}

async function* untilAborted<T>(items: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  const iterator = items[Symbol.asyncIterator]();
  let end: () => void = () => undefined;
  const onAbort = (): void => end();
  signal.addEventListener('abort', onAbort);
  try {
    while (!signal.aborted) {
      const next = await new Promise<IteratorResult<T>>((resolve, reject) => {
        end = () => resolve({ done: true, value: undefined });
        iterator.next().then(resolve, reject);
      });
      if (next.done) return;
      yield next.value;
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
