/** Connections have an age: old ones are asked to go without the loss of a call, and in the end are ended. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { until } from '../support/children.ts';
import { HealthClient } from '../support/clients-health.ts';
import { ManualClock } from '../support/clock.ts';
import { EnvoyCalls } from '../support/envoy-calls.ts';
import { GrpcPort } from '../support/grpc-port.ts';
import { Http2Peer } from '../support/http2-peer.ts';

const AGE = { maxConnectionAgeMillis: 100_000, maxConnectionAgeGraceMillis: 30_000 };
// In the middle: neither older nor younger.
const JITTER_MILLIS = 200;
// A connection on which no call moves ends by itself.
const IDLE_MILLIS = 600_000;

let clock: ManualClock;
const ports: GrpcPort[] = [];

beforeEach(() => {
  clock = new ManualClock();
});

afterEach(() => Promise.all(ports.splice(0).map((port) => port.stop(0))));

async function start(config: Partial<typeof AGE> = {}, random = 128): Promise<GrpcPort> {
  const port = await GrpcPort.start({ config: { ...AGE, ...config }, clock, random });
  ports.push(port);
  return port;
}

function open(port: GrpcPort): Promise<EnvoyCalls> {
  return EnvoyCalls.open(`http://127.0.0.1:${port.port}`);
}

/** Whether the client was asked to go, as soon as it has had another answer. */
async function wasAskedToGo(calls: EnvoyCalls): Promise<boolean> {
  let asked = false;
  void calls.askedToGo.then(() => {
    asked = true;
  });
  await calls.decide('k').catch(() => undefined);
  return asked;
}

describe('a connection is asked to go at its age', () => {
  test.each<[what: string, random: number, millis: number]>([
    ['a tenth younger at the least', 0, 90_000],
    ['a tenth older at the most', 255, 110_000],
  ])('%s', async (_what, random, millis) => {
    const port = await start({}, random);
    const calls = await open(port);
    clock.advance(millis - 1);
    expect(await wasAskedToGo(calls)).toBe(false);
    clock.advance(1);
    await calls.askedToGo;
    await calls.closed;
  });

  test('while others, which are younger, stay', async () => {
    const port = await start();
    const old = await open(port);
    clock.advance(50_000);
    const young = await open(port);
    clock.advance(50_000 + JITTER_MILLIS);
    await old.closed;
    expect(await wasAskedToGo(young)).toBe(false);
    young.close();
  });

  test('0 means never', async () => {
    const port = await start({ maxConnectionAgeMillis: 0 });
    const calls = await open(port);
    // Its idle time, if anything, which a call begins anew.
    expect(clock.furthestMillis).toBeLessThanOrEqual(IDLE_MILLIS);
    clock.advance(IDLE_MILLIS - 1);
    expect(await wasAskedToGo(calls)).toBe(false);
    calls.close();
  });

  test('a time that no timer holds is not a time that has passed', async () => {
    const port = await start({ maxConnectionAgeMillis: 365 * 86_400_000 });
    const calls = await open(port);
    expect(clock.furthestMillis).toBeGreaterThan(20 * 86_400_000);
    expect(clock.furthestMillis).toBeLessThan(2 ** 31);
    expect(await wasAskedToGo(calls)).toBe(false);
    calls.close();
  });
});

test('a connection that is closed leaves no timer behind', async () => {
  const port = await start();
  const calls = await open(port);
  expect(clock.timers).toBeGreaterThan(0);
  calls.close();
  await until('the server has noticed', () => clock.timers === 0);
});

describe('a connection that is asked to go', () => {
  test('still answers the call that is in flight, and ends with it', async () => {
    const port = await start();
    const calls = await open(port);
    const release = port.hold();
    const call = calls.decide('k');
    await until('the call has arrived', () => port.waiting === 1);
    clock.advance(100_000 + JITTER_MILLIS);
    await calls.askedToGo;
    release();
    expect((await call).grpcStatus).toBe(0);
    await calls.closed;
  });

  // RFC 9113 §6.8: what a client sends before it has read GOAWAY must not be lost.
  test('is told first that all streams count, and answers those that come until the client has read it', async () => {
    const port = await start();
    const peer = await Http2Peer.open(port.port);
    clock.advance(100_000 + JITTER_MILLIS);
    const notice = await peer.frame('GOAWAY');
    expect(notice.payload.toString('hex')).toBe('7fffffff00000000');
    const ping = await peer.frame('PING');
    // On their way while the notice was.
    peer.call(1);
    peer.call(3);
    peer.acknowledge(ping);
    const last = await peer.frame('GOAWAY');
    expect(last.payload.subarray(0, 8).toString('hex')).toBe('0000000300000000');
    await peer.closed;
    expect(peer.answered).toEqual([1, 3]);
  });

  test('is not waited for if it reads nothing: after a second it hears the last word', async () => {
    const port = await start();
    const peer = await Http2Peer.open(port.port);
    clock.advance(100_000 + JITTER_MILLIS);
    await peer.frame('PING');
    clock.advance(1_000);
    const last = await peer.frame('GOAWAY');
    expect(last.payload.subarray(0, 8).toString('hex')).toBe('0000000000000000');
    await peer.closed;
  });

  test('is ended after its grace with the calls that are open on it, a watch of health among them', async () => {
    const port = await start();
    const client = new HealthClient(`http://127.0.0.1:${port.port}`);
    const watch = client.watch('');
    await watch.count(1);
    clock.advance(100_000 + JITTER_MILLIS);
    await clock.pass(29_000);
    expect(await Promise.race([watch.ended, client.check('').then(() => 'open')])).toBe('open');
    clock.advance(1_000 + JITTER_MILLIS);
    expect(await watch.ended).not.toBe('OK');
    client.close();
  });

  test('with a grace of 0 has all the time that its calls need', async () => {
    const port = await start({ maxConnectionAgeGraceMillis: 0 });
    const calls = await open(port);
    const release = port.hold();
    const call = calls.decide('k');
    await until('the call has arrived', () => port.waiting === 1);
    clock.advance(IDLE_MILLIS - 1);
    release();
    expect((await call).grpcStatus).toBe(0);
    await calls.closed;
  });
});

test('under load, no call is lost to the age of its connection', async () => {
  const port = await start();
  let answered = 0;
  for (let connection = 0; connection < 20; connection += 1) {
    const peer = await Http2Peer.open(port.port);
    // As many as come before the client reads the notice, one after the other rather than at once.
    const asking = peer.callUntilAskedToGo();
    await until('some are answered', () => peer.answered.length > 5);
    clock.advance(100_000 + JITTER_MILLIS);
    const asked = await asking;
    await peer.closed;
    expect(peer.answered).toHaveLength(asked);
    answered += asked;
  }
  expect(answered).toBeGreaterThan(100);
});
