/** A collector that is not there, or says nothing, is nobody's problem but the operator's. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { OtlpCollector } from '../support/otlp-collector.ts';
import { freePort } from '../support/ports.ts';
import { TestService } from '../support/service.ts';
import { Doors } from './calls.ts';

// Four times what the queue of spans holds: from then on they are dropped.
const CALLS = 400;
const SLOW = {
  OTEL_BSP_MAX_QUEUE_SIZE: '100',
  OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '20',
  OTEL_BSP_SCHEDULE_DELAY: '20',
  OTEL_METRIC_EXPORT_INTERVAL: '50',
  // Whoever waited for an export would wait for two minutes.
  OTEL_EXPORTER_OTLP_TIMEOUT: '120000',
  OTEL_BSP_EXPORT_TIMEOUT: '120000',
  OTEL_METRIC_EXPORT_TIMEOUT: '120000',
};
// Nothing of this takes a second; a machine that is busy with other tests is given time.
const MILLIS_MAX = 30_000;

let silent: OtlpCollector;

beforeEach(async () => {
  silent = await OtlpCollector.startSilent();
});

afterEach(() => silent.stop());

describe.each<[string, () => Promise<string>]>([
  ['refuses connections', async () => `http://127.0.0.1:${await freePort()}`],
  ['takes requests and never answers', async () => silent.endpoint],
])('a collector that %s', (_name, endpointOf) => {
  test('delays no decision, and SIGTERM ends the service in time and with 0', async () => {
    const service = await TestService.start({ ...SLOW, OTEL_EXPORTER_OTLP_ENDPOINT: await endpointOf() });
    const doors = new Doors(service);
    const calledAt = Date.now();
    const calls = Array.from({ length: CALLS }, () => doors.rls('closient', ['remote_address=::1']));
    const answers = await Promise.all(calls);
    const stoppedAt = Date.now();
    await service.stop();
    expect(await service.exited).toEqual({ code: 0, signal: null });
    expect(Date.now() - stoppedAt).toBeLessThan(MILLIS_MAX);
    expect(stoppedAt - calledAt).toBeLessThan(MILLIS_MAX);
    expect(new Set(answers)).toEqual(new Set(['OK', 'OVER_LIMIT']));
  }, 90_000);
});
