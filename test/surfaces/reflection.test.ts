/** Server reflection: a client that knows nothing but the port learns all it needs for a call. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { create, createFileRegistry, type FileRegistry, fromBinary } from '@bufbuild/protobuf';
import { type FileDescriptorProto, FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type ReflectionAnswer, ReflectionClient } from '../support/clients-reflection.ts';
import { GrpcPort } from '../support/grpc-port.ts';

const RLS = 'envoy.service.ratelimit.v3.RateLimitService';
const RLS_FILE = 'envoy/service/ratelimit/v3/rls.proto';
const NOT_FOUND = 5;
const INVALID_ARGUMENT = 3;

let port: GrpcPort;

beforeAll(async () => {
  port = await GrpcPort.start();
});

afterAll(() => port.stop());

function filesIn(answer: ReflectionAnswer | undefined): readonly FileDescriptorProto[] {
  return (answer?.fileDescriptorResponse?.fileDescriptorProto ?? []).map((bytes) =>
    fromBinary(FileDescriptorProtoSchema, bytes),
  );
}

/** Fails where a file lacks what it imports. */
function registryOf(files: readonly FileDescriptorProto[]): FileRegistry {
  return createFileRegistry(create(FileDescriptorSetSchema, { file: [...files] }));
}

describe.each(['v1', 'v1alpha'] as const)('%s', (version) => {
  let client: ReflectionClient;

  beforeAll(() => {
    client = new ReflectionClient(`127.0.0.1:${port.port}`, version);
  });

  afterAll(() => client.close());

  test('all services are listed', async () => {
    const [answer] = await client.ask([{ listServices: '' }]);
    expect(answer?.listServicesResponse?.service.map(({ name }) => name)).toEqual([
      RLS,
      'grpc.health.v1.Health',
      'grpc.reflection.v1.ServerReflection',
      'grpc.reflection.v1alpha.ServerReflection',
    ]);
  });

  test.each([
    ['a service', RLS],
    ['a method', `${RLS}.ShouldRateLimit`],
    ['a message', 'envoy.service.ratelimit.v3.RateLimitRequest'],
    ['a message within a message', 'envoy.service.ratelimit.v3.RateLimitResponse.DescriptorStatus'],
    ['an enum within a message', 'envoy.service.ratelimit.v3.RateLimitResponse.Code'],
    ['a value of an enum', 'envoy.service.ratelimit.v3.RateLimitResponse.OVER_LIMIT'],
    ['a field', 'envoy.service.ratelimit.v3.RateLimitRequest.domain'],
  ])('the file of %s comes first, and after it all that it needs', async (_what, fileContainingSymbol) => {
    const files = filesIn((await client.ask([{ fileContainingSymbol }]))[0]);
    expect(files[0]?.name).toBe(RLS_FILE);
    expect(
      registryOf(files.toReversed())
        .getService(RLS)
        ?.methods.map(({ name }) => name),
    ).toEqual(['ShouldRateLimit']);
  });

  test('the file of a oneof can be had', async () => {
    const symbol = 'grpc.reflection.v1.ServerReflectionRequest.message_request';
    const files = filesIn((await client.ask([{ fileContainingSymbol: symbol }]))[0]);
    expect(registryOf(files.toReversed()).getService('grpc.reflection.v1.ServerReflection')).toBeDefined();
  });

  test('the file of each listed service can be had, and of each file that one of them imports', async () => {
    const [listed] = await client.ask([{ listServices: '' }]);
    const names = listed?.listServicesResponse?.service.map(({ name }) => name) ?? [];
    for (const name of names) {
      const files = filesIn((await client.ask([{ fileContainingSymbol: name }]))[0]);
      expect(registryOf(files.toReversed()).getService(name)).toBeDefined();
      const again = await client.ask(files.map((file) => ({ fileByFilename: file.name })));
      expect(again.map((answer) => filesIn(answer)[0]?.name)).toEqual(files.map((file) => file.name));
    }
  });

  test('no message has extensions', async () => {
    const [answer] = await client.ask([{ allExtensionNumbersOfType: 'google.protobuf.Duration' }]);
    expect(answer?.allExtensionNumbersResponse).toEqual({
      baseTypeName: 'google.protobuf.Duration',
      extensionNumber: [],
    });
  });

  test.each([
    ['a file', { fileByFilename: 'no.proto' }, NOT_FOUND, 'unknown file no.proto'],
    ['a symbol', { fileContainingSymbol: 'no.Such' }, NOT_FOUND, 'unknown symbol no.Such'],
    ['the empty symbol', { fileContainingSymbol: '' }, NOT_FOUND, 'unknown symbol '],
    ['the name of a built-in property', { fileContainingSymbol: '__proto__' }, NOT_FOUND, 'unknown symbol __proto__'],
    [
      'an extension',
      { fileContainingExtension: { containingType: RLS, extensionNumber: 7 } },
      NOT_FOUND,
      `unknown extension 7 of ${RLS}`,
    ],
    ['extensions of no message', { allExtensionNumbersOfType: RLS }, NOT_FOUND, `unknown message ${RLS}`],
    ['nothing', {}, INVALID_ARGUMENT, 'message_request: nothing is asked for'],
  ])(
    'asked for %s that is not there, the stream says so and goes on',
    async (_what, request, errorCode, errorMessage) => {
      const [answer, next] = await client.ask([{ host: 'here', ...request }, { listServices: '' }]);
      expect(answer?.errorResponse).toEqual({ errorCode, errorMessage });
      expect(answer?.validHost).toBe('here');
      expect(answer?.originalRequest).toMatchObject({ host: 'here', ...request });
      expect(next?.listServicesResponse?.service).toHaveLength(4);
    },
  );

  test('a stream that is held open does not hold up the stop', async () => {
    const other = await GrpcPort.start();
    const idle = new ReflectionClient(`127.0.0.1:${other.port}`, version);
    const { ended } = await idle.hold();
    const startedAt = performance.now();
    await other.stop(10_000);
    expect(await ended).toBe('OK');
    expect(performance.now() - startedAt).toBeLessThan(4_000);
    idle.close();
  });
});

test('buf curl calls by reflection alone', async () => {
  const url = `http://127.0.0.1:${port.port}/${RLS}/ShouldRateLimit`;
  const data = '{"domain":"closient","descriptors":[{"entries":[{"key":"api_key","value":"k"}]}]}';
  const command = ['buf', 'curl', '--protocol', 'grpc', '--http2-prior-knowledge', url, '-d', data];
  const { stdout } = await promisify(execFile)('npx', ['--no', ...command]);
  expect(JSON.parse(stdout)).toMatchObject({ overallCode: 'OK', statuses: [{ code: 'OK' }] });
});
