/** What bare round trips take, one after the other, with nothing around them: to Redis, and to a process that does nothing. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { latencyOf } from './measured-time.ts';
import { start, stop, waitFor } from './processes.ts';
import type { Latency, RoundTrips } from './task.ts';

// Until what asks is compiled.
const WARMUP_MILLIS = 500;
// 8 MB of latencies; beyond, it is measured for a shorter time.
const ROUND_TRIPS_MAX = 1_000_000;
// About what a call and its answer have.
const ECHO_BYTES = 200;

/** By this process, as the decisions before them. @param socket of Redis @param seconds of each */
export async function roundTripsOf(socket: string, seconds: number): Promise<RoundTrips> {
  return { get: await getsOf(socket, seconds), echo: await echoesOf(seconds) };
}

/** A GET through ioredis. */
async function getsOf(socket: string, seconds: number): Promise<Latency> {
  const redis = new Redis({ path: socket });
  const latency = await oneByOne(seconds, async () => {
    if ((await redis.get('nothing')) !== null) throw new Error('Redis has a key that nobody wrote');
  });
  redis.disconnect();
  return latency;
}

/** Bytes to a Node process and back: what no service on Node can be below, whatever it decides. */
async function echoesOf(seconds: number): Promise<Latency> {
  const server = start(process.execPath, [fileURLToPath(new URL('./echo-server.ts', import.meta.url))]);
  const port = await waitFor(server, () => Number(server.output()) || undefined);
  const client = connect(port, '127.0.0.1').setNoDelay();
  await once(client, 'connect');
  const bytes = Buffer.alloc(ECHO_BYTES);
  const latency = await oneByOne(seconds, () => {
    client.write(bytes);
    return new Promise((resolve) => client.once('data', resolve));
  });
  client.destroy();
  await stop(server);
  return latency;
}

async function oneByOne(seconds: number, ask: () => Promise<unknown>): Promise<Latency> {
  const millis = new Float64Array(ROUND_TRIPS_MAX);
  const from = performance.now() + WARMUP_MILLIS;
  const to = from + seconds * 1_000;
  let count = 0;
  let startedAt = performance.now();
  while (startedAt < to && count < ROUND_TRIPS_MAX) {
    await ask();
    const now = performance.now();
    if (startedAt >= from) millis[count++] = now - startedAt;
    startedAt = now;
  }
  return latencyOf(millis.subarray(0, count));
}
