/** What is written leaves in the order of its writing, and who does not read it is not asked for more. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Outbox } from '../../../../src/surfaces/rls/h2/outbox.ts';
import { ManualClock, settled } from '../../../support/clock.ts';

const BEHIND_BYTES_MAX = 262_144;
const BEHIND_MILLIS_MAX = 20_000;
const LAST_WORDS_MILLIS_MAX = 1_000;
/** Far more than a system takes of who does not read. */
const FLOOD_BYTES = 16 * 1_024 * 1_024;

let clock: ManualClock;
let reader: Socket;
let socket: Socket;
let outbox: Outbox;
let behind: boolean[];

beforeEach(async () => {
  clock = new ManualClock();
  const told: boolean[] = [];
  behind = told;
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection');
  reader = connect({ port: (server.address() as { port: number }).port, host: '127.0.0.1' });
  reader.pause();
  reader.on('error', () => undefined);
  [socket] = (await accepted) as [Socket];
  socket.on('error', () => socket.destroy());
  server.close();
  outbox = new Outbox({ socket, clock, onBehind: (isBehind) => told.push(isBehind) });
});

afterEach(() => {
  reader.destroy();
  socket.destroy();
});

function write(bytes: Uint8Array): void {
  outbox.out.append(bytes);
  outbox.flushSoon();
}

/** How long each write to the socket is, from now on. */
function watchWrites(): number[] {
  const writes: number[] = [];
  const original = socket.write.bind(socket);
  socket.write = ((bytes: Buffer, done: () => void) => {
    writes.push(bytes.length);
    return original(bytes, done);
  }) as typeof socket.write;
  return writes;
}

async function readAll(): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of reader) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

test('all of a turn leaves in one write', async () => {
  const writes = watchWrites();
  for (let count = 0; count < 100; count++) write(Buffer.of(count));
  await settled();
  expect(writes).toEqual([100]);
});

test('everything arrives in order, also what was written while the system took no more', async () => {
  const expected: Buffer[] = [];
  for (let round = 0; round < 1_600; round++) {
    const bytes = Buffer.alloc(FLOOD_BYTES / 1_600, round);
    expected.push(bytes);
    write(bytes);
    await settled();
  }
  outbox.end();
  expect((await readAll()).equals(Buffer.concat(expected))).toBe(true);
  expect(behind.at(-1)).toBe(false);
});

test('what was written while the system took no more leaves by itself, in one piece, when it does', async () => {
  const writes = watchWrites();
  write(Buffer.alloc(FLOOD_BYTES));
  await settled();
  for (let count = 0; count < 10; count++) {
    write(Buffer.of(count));
    await settled();
  }
  let bytes = 0;
  await new Promise<void>((resolve) => {
    reader.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes === FLOOD_BYTES + 10) resolve();
    });
    reader.resume();
  });
  expect(writes).toEqual([FLOOD_BYTES, 10]);
});

describe('a reader is behind', () => {
  test(`with more than ${BEHIND_BYTES_MAX} bytes that wait, not with so many`, async () => {
    write(Buffer.alloc(FLOOD_BYTES));
    await settled();
    const waits = socket.writableLength;
    expect(waits).toBeGreaterThan(BEHIND_BYTES_MAX);
    expect(outbox.isBehind).toBe(true);
    expect(behind).toEqual([true]);
  });

  test('by what is not handed to the system yet, too: at the bound it is not, one byte beyond it is', async () => {
    // So that the socket counts each byte as one that waits.
    socket.cork();
    write(Buffer.of(0));
    await settled();
    write(Buffer.alloc(BEHIND_BYTES_MAX - 1));
    await settled();
    expect(outbox.isBehind).toBe(false);
    write(Buffer.of(0));
    await settled();
    expect(outbox.isBehind).toBe(true);
  });

  test('as soon as whoever writes asks, in the turn of the writing', async () => {
    write(Buffer.alloc(BEHIND_BYTES_MAX));
    expect(outbox.ready()).toBeUndefined();
    write(Buffer.of(0));
    const ready = outbox.ready();
    expect(behind).toEqual([true]);
    reader.resume();
    await ready;
    expect(behind).toEqual([true, false]);
    expect(clock.timers).toBe(0);
  });

  test('until it has taken all of that; whoever waits for it goes on then', async () => {
    write(Buffer.alloc(FLOOD_BYTES));
    await settled();
    const ready = outbox.ready();
    expect(ready).toBeInstanceOf(Promise);
    reader.resume();
    await ready;
    expect(behind).toEqual([true, false]);
    expect(outbox.ready()).toBeUndefined();
    expect(clock.timers).toBe(0);
  });

  test(`for ${BEHIND_MILLIS_MAX} ms at the most: then it is given up`, async () => {
    write(Buffer.alloc(FLOOD_BYTES));
    await settled();
    clock.advance(BEHIND_MILLIS_MAX - 1);
    expect(socket.destroyed).toBe(false);
    clock.advance(1);
    expect(socket.destroyed).toBe(true);
    await outbox.ready();
  });

  test('no more once it is gone: nobody waits for it, and no timer', async () => {
    write(Buffer.alloc(FLOOD_BYTES));
    await settled();
    const ready = outbox.ready();
    socket.destroy();
    await ready;
    expect(clock.timers).toBe(0);
  });
});

describe('at its end', () => {
  test('all that was written is sent, and nothing that is written later', async () => {
    write(Buffer.from('first'));
    outbox.end();
    write(Buffer.from('later'));
    outbox.end();
    await settled();
    expect((await readAll()).toString()).toBe('first');
  });

  test(`a client that has all of it is waited for ${LAST_WORDS_MILLIS_MAX} ms`, async () => {
    const finished = once(socket, 'finish');
    outbox.end();
    await finished;
    clock.advance(LAST_WORDS_MILLIS_MAX - 1);
    expect(socket.destroyed).toBe(false);
    clock.advance(1);
    expect(socket.destroyed).toBe(true);
  });

  test(`one that reads nothing for ${BEHIND_MILLIS_MAX} ms`, async () => {
    write(Buffer.alloc(FLOOD_BYTES));
    outbox.end();
    await settled();
    clock.advance(BEHIND_MILLIS_MAX - 1);
    expect(socket.destroyed).toBe(false);
    clock.advance(1);
    expect(socket.destroyed).toBe(true);
  });

  test('whoever waits for the reader goes on, and the reader is behind no more', async () => {
    write(Buffer.alloc(FLOOD_BYTES));
    await settled();
    const ready = outbox.ready();
    outbox.end();
    await ready;
    write(Buffer.of(1));
    await settled();
    expect(behind).toEqual([true, false]);
    expect(socket.isPaused()).toBe(false);
  });

  test('no timer is left when the client goes', async () => {
    outbox.end();
    const closed = once(socket, 'close');
    reader.destroy();
    await closed;
    expect(clock.timers).toBe(0);
  });

  test('no timer is left when the client has gone before', async () => {
    const closed = once(socket, 'close');
    socket.destroy();
    await closed;
    outbox.end();
    expect(clock.timers).toBe(0);
  });
});
