/** Several processes under load: what they admit together, and what is lost when one of them dies, or all are to stop. */
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { until } from '../support/children.ts';
import type { EnvoyCalls } from '../support/envoy-calls.ts';
import { isAlive, LIMIT, WorkersService } from '../support/workers.ts';

const DECISIONS = 'headroom_rate_limiting_decisions_total';
const DIED = 'a worker has ended, another takes its place';
const OK = 1;

// Each test starts several processes, and some of them again and again.
jest.setTimeout(60_000);

let workers: WorkersService | undefined;

afterEach(async () => {
  await workers?.stop();
  workers = undefined;
});

async function start(env: Record<string, string> = {}): Promise<WorkersService> {
  workers = await WorkersService.start(env);
  return workers;
}

/** Calls through each connection, one after the other, until told to end. @returns how many failed, by connection */
class Load {
  answered = 0;
  readonly failed: number[];
  #isOver = false;
  readonly #ended: Promise<unknown>;

  constructor(connections: readonly EnvoyCalls[]) {
    this.failed = connections.map(() => 0);
    this.#ended = Promise.all(connections.map((connection, index) => this.#call(connection, index)));
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#ended;
  }

  async #call(connection: EnvoyCalls, index: number): Promise<void> {
    while (!this.#isOver) {
      const answer = await connection.decide('csk_load').catch(() => undefined);
      if (answer?.grpcStatus === 0) this.answered += 1;
      else this.failed[index]! += 1;
      // Without any status its connection is gone, and with it whoever would call again.
      if (answer === undefined || Number.isNaN(answer.grpcStatus)) return;
    }
  }
}

test('a limit holds over all workers: of 2,000 calls at once through 8 connections exactly 300 pass, and both decide', async () => {
  const service = await start();
  const connections = await service.connect(8);
  const calls = Array.from({ length: 2_000 }, (_, index) => connections[index % 8]!.decide('csk_k'));
  const answers = await Promise.all(calls);
  expect(answers.filter(({ overallCode }) => overallCode === OK)).toHaveLength(LIMIT);
  expect(answers.filter(({ grpcStatus }) => grpcStatus !== 0)).toEqual([]);
  const each = [await service.metric(DECISIONS, 1), await service.metric(DECISIONS, 2)];
  expect(Math.min(...each)).toBeGreaterThanOrEqual(500);
  expect(await service.metric(DECISIONS)).toBe(2_000);
});

describe('a worker that is killed', () => {
  test('costs the calls that it had in flight and nothing else, and is replaced; what was counted stays', async () => {
    const service = await start();
    const connections = await service.connect(6);
    const load = new Load(connections);
    await until('both decide', async () => {
      return (await service.metric(DECISIONS, 1)) > 20 && (await service.metric(DECISIONS, 2)) > 20;
    });
    const before = await service.metric(DECISIONS);
    const pid = await service.kill(1);
    await service.replaced(1, pid);
    const [fresh] = await service.connect(1);
    expect(await fresh!.decide('csk_other')).toMatchObject({ grpcStatus: 0 });
    const answeredBy = load.answered;
    await until('the others are answered', () => load.answered > answeredBy + 20);
    await load.end();
    // In turn: three of the six were its own, with one call each.
    expect(load.failed.toSorted()).toEqual([0, 0, 0, 1, 1, 1]);
    expect(await service.metric(DECISIONS)).toBeGreaterThan(before);
    expect(await service.metric('headroom_workers_restarts_total')).toBe(1);
    expect(await service.metric('headroom_workers_reporting')).toBe(2);
    expect(service.logged(DIED)).toEqual([
      expect.objectContaining({ level: 'error', worker: 1, pid, code: null, signal: 'SIGKILL', delayMillis: 0 }),
    ]);
  });

  test('again and again is waited with longer and longer', async () => {
    const service = await start();
    let pid: number | undefined;
    for (let death = 0; death < 4; death++) {
      pid = await service.kill(2);
      await service.replaced(2, pid);
    }
    expect(service.logged(DIED).map(({ delayMillis }) => delayMillis)).toEqual([0, 250, 500, 1_000]);
    expect(await service.metric('headroom_workers_restarts_total')).toBe(4);
  });

  test('with all others at once comes back at the same port with them', async () => {
    const service = await start();
    const pids = await Promise.all([1, 2].map((worker) => service.kill(worker)));
    await Promise.all([1, 2].map((worker) => service.replaced(worker, pids[worker - 1])));
    const [fresh] = await service.connect(1);
    expect(await fresh!.decide('csk_k')).toMatchObject({ grpcStatus: 0 });
  });

  test('before it took a connection that was given to it does not keep it open', async () => {
    const service = await start();
    const frozen = await service.kill(1, 'SIGSTOP');
    const opening = Array.from({ length: 3 }, () =>
      service.connect(1).then(
        () => 'open',
        () => 'closed',
      ),
    );
    // One of them waits for the worker that stands still, and the others have been taken by the other one.
    const settled: string[] = [];
    for (const each of opening) void each.then((how) => settled.push(how));
    await until('two are open', () => settled.length === 2);
    process.kill(frozen, 'SIGKILL');
    expect((await Promise.all(opening)).toSorted()).toEqual(['closed', 'open', 'open']);
  });
});

test('a worker that stands still is left out of the metrics, but what it had counted is not', async () => {
  const service = await start();
  const connections = await service.connect(4);
  await Promise.all(connections.map((connection) => connection.decide('csk_k')));
  expect(await service.metric(DECISIONS)).toBe(4);
  const pid = await service.kill(1, 'SIGSTOP');
  expect(await service.metric('headroom_workers_reporting')).toBe(1);
  expect(await service.metric(DECISIONS)).toBe(4);
  process.kill(pid, 'SIGCONT');
  await until('it reports again', async () => (await service.metric('headroom_workers_reporting')) === 2);
});

describe('a signal', () => {
  test.each<NodeJS.Signals>(['SIGTERM', 'SIGINT', 'SIGHUP'])(
    '%s ends all workers, and no call is lost',
    async (signal) => {
      const service = await start({ DRAIN_TIMEOUT: '15s' });
      const connections = await service.connect(4);
      await Promise.all(connections.map((connection) => connection.decide('csk_k')));
      service.redis.freeze();
      const calls = connections.map((connection) => connection.decide('csk_k'));
      await Promise.all(connections.map((connection) => connection.arrived()));
      service.service.child.kill(signal);
      await Promise.all(connections.map((connection) => connection.askedToGo));
      service.redis.thaw();
      const answers = await Promise.all(calls);
      expect(answers.map(({ grpcStatus }) => grpcStatus)).toEqual([0, 0, 0, 0]);
      expect(await service.service.exited).toEqual({ code: 0, signal: null });
      expect(service.logged('stopping')).toEqual([expect.objectContaining({ signal })]);
      expect(service.logged('stopped')).toHaveLength(1);
    },
  );

  test('to a whole group of processes is one to the first of them', async () => {
    const service = await start({ DRAIN_DELAY: '1s' });
    const pids = service.childPids();
    const [connection] = await service.connect(1);
    for (const pid of pids) process.kill(pid, 'SIGTERM');
    expect(await connection!.decide('csk_k')).toMatchObject({ grpcStatus: 0 });
    service.service.child.kill('SIGTERM');
    expect(await service.service.exited).toEqual({ code: 0, signal: null });
    expect(service.logged(DIED)).toEqual([]);
  });

  test('that comes a second time ends at once a worker that does not', async () => {
    const service = await start({ DRAIN_TIMEOUT: '60s' });
    await service.kill(1, 'SIGSTOP');
    service.service.child.kill('SIGTERM');
    await until('it is heard', () => service.logged('stopping').length === 1);
    service.service.child.kill('SIGTERM');
    expect(await service.service.exited).toEqual({ code: 1, signal: null });
  });

  test('kills in the end a worker that stands still, and says so by its exit code', async () => {
    const service = await start({ DRAIN_TIMEOUT: '0' });
    const frozen = await service.kill(1, 'SIGSTOP');
    service.service.child.kill('SIGTERM');
    expect(await service.service.exited).toEqual({ code: 1, signal: null });
    expect(isAlive(frozen)).toBe(false);
  });
});

test('when the process that others see is killed, its workers finish their calls and end', async () => {
  const service = await start();
  const pids = service.childPids();
  const connections = await service.connect(4);
  service.redis.freeze();
  const calls = connections.map((connection) => connection.decide('csk_k'));
  await Promise.all(connections.map((connection) => connection.arrived()));
  await service.service.stop('SIGKILL');
  service.redis.thaw();
  const answers = await Promise.all(calls);
  expect(answers.map(({ grpcStatus }) => grpcStatus)).toEqual([0, 0, 0, 0]);
  await until('nobody is left', () => !pids.some(isAlive));
});
