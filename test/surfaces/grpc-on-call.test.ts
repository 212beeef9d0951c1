/** What is told of gRPC calls to whoever counts them: each unary call once, at its end, by its short name. */
import { expect, test } from '@jest/globals';
import { until } from '../support/children.ts';
import { HealthClient } from '../support/clients-health.ts';
import { RLS_CLIENTS } from '../support/clients-rls.ts';
import { ManualClock } from '../support/clock.ts';
import { EnvoyCalls } from '../support/envoy-calls.ts';
import { GrpcPort } from '../support/grpc-port.ts';

const QUESTION = { domain: 'closient', descriptors: [{ entries: [{ key: 'api_key', value: 'k' }] }] };

test('a call is told once, when it ends, with the time that it took', async () => {
  const clock = new ManualClock();
  const told: [string, number][] = [];
  const port = await GrpcPort.start({ clock, onCall: (method, millis) => told.push([method, millis]) });
  const calls = await EnvoyCalls.open(`http://127.0.0.1:${port.port}`);
  const release = port.hold();
  const call = calls.decide('k');
  await until('the call has arrived', () => port.waiting === 1);
  expect(told).toEqual([]);
  clock.advance(25);
  release();
  await call;
  calls.close();
  await port.stop();
  expect(told).toEqual([['ShouldRateLimit', 25]]);
});

test('calls of every kind of client are told, those that fail and those of health, too; streams are not', async () => {
  const told: string[] = [];
  const port = await GrpcPort.start({ onCall: (method) => told.push(method) });
  const origin = `http://127.0.0.1:${port.port}`;
  for (const open of Object.values(RLS_CLIENTS)) {
    const client = open(origin);
    await client.ask(QUESTION);
    await client.ask({ ...QUESTION, domain: '' }).catch(() => undefined);
    client.close();
  }
  const health = new HealthClient(origin);
  const watch = health.watch('');
  await watch.count(1);
  await health.check('');
  await health.check('nobody').catch(() => undefined);
  await port.stop();
  await watch.ended;
  health.close();
  const decisions = Object.keys(RLS_CLIENTS).flatMap(() => ['ShouldRateLimit', 'ShouldRateLimit']);
  expect(told).toEqual([...decisions, 'Check', 'Check']);
});
