/** The governed fetch over real connections: a small HTTP server that counts by the clock that the test moves. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createGovernedFetch } from '../../src/client/governed-fetch.ts';
import { ManualClock, settled } from '../support/clock.ts';

const LIMIT = 20;
const WINDOW_SECONDS = 5;

const clock = new ManualClock();
const counts = new Map<string, number>();
const statuses: Record<number, number> = {};
let server: Server;
let url: string;

beforeAll(async () => {
  server = createServer((request, response) => {
    const seconds = Math.floor(clock.nowMillis() / 1_000);
    const window = Math.floor(seconds / WINDOW_SECONDS);
    const subject = `${request.headers['x-api-key']} ${window}`;
    const used = (counts.get(subject) ?? 0) + 1;
    counts.set(subject, used);
    const reset = (window + 1) * WINDOW_SECONDS - seconds;
    const status = used > LIMIT ? 429 : 200;
    statuses[status] = (statuses[status] ?? 0) + 1;
    response.writeHead(status, {
      'X-RateLimit-Limit': LIMIT,
      'X-RateLimit-Remaining': Math.max(LIMIT - used, 0),
      'X-RateLimit-Reset': reset,
      'Retry-After': reset,
    });
    response.end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});

afterAll(() => {
  server.close();
  server.closeAllConnections();
});

test('10 callers of each of two keys make 200 calls without a 429, each body read to its end', async () => {
  const fetch = createGovernedFetch({ clock });
  let running = true;
  const calls = Array.from({ length: 20 }, async (_, caller) => {
    for (let call = 0; call < 20; call += 1) {
      const response = await fetch(url, { headers: { 'X-API-Key': `csk_${caller % 2}` } });
      expect(await response.json()).toEqual({});
    }
  });
  const all = Promise.all(calls).finally(() => {
    running = false;
  });
  while (running) {
    await settled();
    clock.advance(20);
  }
  await all;
  expect(statuses).toEqual({ 200: 400 });
});

test('a denied call is made again when its window is over, and its body is that of the last answer', async () => {
  counts.set(`csk_denied ${Math.floor(clock.nowMillis() / 1_000 / WINDOW_SECONDS)}`, LIMIT);
  const fetch = createGovernedFetch({ clock, governor: false });
  const call = fetch(url, { headers: { 'X-API-Key': 'csk_denied' } });
  let response: Response | undefined;
  void call.then((answer) => {
    response = answer;
  });
  while (response === undefined) {
    await settled();
    clock.advance(20);
  }
  expect(response.status).toBe(200);
  expect(await response.text()).toBe('{}');
});
