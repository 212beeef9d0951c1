/** What Envoy sends when a crowd arrives: thousands of calls at once to one process, on a machine that is busy. */
import type { ChildProcess } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { RateLimitResponse_Code } from '../../src/gen/envoy/service/ratelimit/v3/rls_pb.ts';
import { endChild, startChild } from '../support/children.ts';
import { EnvoyCalls } from '../support/envoy-calls.ts';
import { TestRedis } from '../support/redis.ts';
import { TestService } from '../support/service.ts';

const CALLS = 2_000;

let redis: TestRedis;
let service: TestService;
let calls: EnvoyCalls;
let burners: readonly ChildProcess[];

beforeAll(async () => {
  redis = await TestRedis.start();
  service = await TestService.start({ REDIS_URL: redis.socket });
  calls = await EnvoyCalls.open(service.grpc);
  // One for each core: the service gets a part of one core, and never when it wants it.
  burners = Array.from({ length: availableParallelism() }, () => startChild(process.execPath, ['-e', 'for (;;);']));
}, 60_000);

afterAll(async () => {
  calls?.close();
  await Promise.all((burners ?? []).map((burner) => endChild(burner)));
  await Promise.all([service?.stop(), redis?.stop()]);
});

test.each([
  { state: 'has just started', prepare: () => undefined },
  { state: 'has worked for a while', prepare: () => undefined },
  { state: 'meets a Redis that has forgotten its scripts', prepare: () => redis.client.script('FLUSH') },
])(
  '2,000 simultaneous calls on a busy machine are all decided while Redis answers, by a process that $state',
  async ({ state, prepare }) => {
    await prepare();
    const keys = Array.from({ length: CALLS }, (_, index) => `csk_${state}_${index}`);
    const results = await Promise.all(keys.map((key) => calls.decide(key)));
    const outcomes = results.map(({ grpcStatus, grpcMessage }) => `${grpcStatus} ${grpcMessage}`);
    expect([...new Set(outcomes)]).toEqual(['0 ']);
    expect(results.filter(({ overallCode }) => overallCode === RateLimitResponse_Code.OK)).toHaveLength(CALLS);
  },
  120_000,
);
