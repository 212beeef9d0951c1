/** Profiles and snapshots, as far as they depend on time: whoever does not read one does not keep others from theirs. */
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { expect, test } from '@jest/globals';
import { Profiling, SENDING_MILLIS_MAX } from '../../src/surfaces/debug/profiling.ts';
import { until } from '../support/children.ts';
import { http1 } from '../support/clients-http.ts';
import { ManualClock } from '../support/clock.ts';

test('a client that does not read its snapshot is let go in time, and the next one gets his', async () => {
  const clock = new ManualClock();
  const profiling = new Profiling(clock);
  const server = createServer((request, response) => profiling.answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const silent = connect(port, '127.0.0.1').pause();
  silent.on('error', () => undefined);
  silent.write('GET /debug/pprof/heap HTTP/1.1\r\nHost: localhost\r\n\r\n');
  const next = async () => (await http1(`http://127.0.0.1:${port}/debug/pprof/profile?seconds=x`)).status;
  const isBusy = async () => (await http1(`http://127.0.0.1:${port}/debug/pprof/heap`)).status === 429;
  await until('the snapshot is on its way', async () => clock.timers === 1 && (await isBusy()));
  clock.advance(SENDING_MILLIS_MAX - 1);
  expect(await isBusy()).toBe(true);
  clock.advance(1);
  await until('it is given up', async () => clock.timers === 0);
  expect(await next()).toBe(400);
  expect(await isBusy()).toBe(false);
  silent.destroy();
  server.close();
  server.closeAllConnections();
}, 60_000);
