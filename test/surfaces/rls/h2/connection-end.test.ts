/** Connections and streams end as they should, and leave nothing. */
import { once } from 'node:events';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { Connection } from '../../../../src/surfaces/rls/h2/connection.ts';
import { ERROR, FLAG, FRAME } from '../../../../src/surfaces/rls/h2/frames.ts';
import type { StreamConsumer } from '../../../../src/surfaces/rls/h2/stream.ts';
import { type Asked, ConnectionUnderTest, type ConnectionUnderTestOptions, REQUEST } from './connection-under-test.ts';
import { blockOf, uint32 } from './frames-in.ts';

const { endStream: END, endHeaders: WHOLE, padded: PADDED } = FLAG;
const STREAM_ID_MAX = 2 ** 31 - 1;
const opened: ConnectionUnderTest[] = [];

afterEach(() => {
  for (const { client } of opened.splice(0)) client.destroy();
});

async function open(options?: ConnectionUnderTestOptions): Promise<ConnectionUnderTest> {
  const wire = await ConnectionUnderTest.open(options);
  opened.push(wire);
  return wire;
}

function answer({ stream }: Asked, { sender }: Connection): void {
  const at = sender.beginMessage(stream);
  sender.endMessage(stream, at);
}

/** Answers each request within its first `data`. */
function atOnce(asked: Asked, connection: Connection): StreamConsumer {
  return { data: () => answer(asked, connection), aborted: (code) => asked.aborted(code) };
}

describe('a consumer may do within data() what it likes', () => {
  test('answer before the request has ended: the client is told to stop, and what is on its way is no mistake', async () => {
    const wire = await open({ serve: atOnce });
    wire.request(1);
    wire.send(FRAME.data, 0, 1, Buffer.of(1));
    wire.send(FRAME.data, PADDED, 1, Buffer.of(3, 1, 0, 0, 0));
    wire.request(1, END, [['some', 'trailer']]);
    await wire.settled();
    expect(wire.resets(1)).toEqual([ERROR.none]);
    expect(wire.of(FRAME.headers, 1)).toHaveLength(2);
    expect(wire.goaways()).toEqual([]);
    expect(wire.asked[0]?.abortedBy).toEqual([]);
  });

  test('answer before the request has ended, and the client resets it, too: what comes then is a mistake', async () => {
    const wire = await open({ serve: atOnce });
    wire.request(1);
    wire.send(FRAME.data, 0, 1, Buffer.of(1));
    wire.send(FRAME.rstStream, 0, 1, uint32(ERROR.cancel));
    wire.send(FRAME.data, 0, 1, Buffer.of(1));
    await wire.settled();
    expect(wire.resets(1)).toEqual([ERROR.none, ERROR.streamClosed]);
  });

  test('answer as the request ends: it is told nothing more', async () => {
    const wire = await open({ serve: atOnce });
    wire.request(1, END);
    await wire.settled();
    expect(wire.resets(1)).toEqual([]);
    expect(wire.of(FRAME.headers, 1)).toHaveLength(2);
  });

  test('reset the stream, more than once', async () => {
    const wire = await open({
      serve: ({ stream }, connection) => ({
        data: () => {
          connection.reset(stream, ERROR.internal);
          connection.reset(stream, ERROR.internal);
        },
        aborted: () => undefined,
      }),
    });
    wire.request(1, END);
    await wire.settled();
    expect(wire.resets(1)).toEqual([ERROR.internal]);
  });

  test('fail unexpectedly: that costs this connection and is logged', async () => {
    const wire = await open({
      serve: (asked) => ({
        data: () => {
          throw new Error('a mistake of ours');
        },
        aborted: (code) => asked.aborted(code),
      }),
    });
    wire.request(1, END);
    await wire.closed;
    expect(wire.goaways()).toEqual([ERROR.internal]);
    expect(wire.asked[0]?.abortedBy).toEqual([ERROR.cancel]);
    expect(wire.logged).toEqual(['a connection failed unexpectedly']);
  });
});

describe('a body', () => {
  test('comes without its padding, and ends with trailers, too', async () => {
    const wire = await open();
    wire.request(1);
    wire.send(FRAME.data, PADDED, 1, Buffer.from([2, ...Buffer.from('ab'), 0, 0]));
    wire.send(FRAME.data, PADDED, 1, Buffer.of(0));
    wire.send(FRAME.data, 0, 1, Buffer.from('c'));
    wire.request(1, END, [['some', 'trailer']]);
    await wire.settled();
    expect(wire.asked[0]).toMatchObject({ isEnded: true, body: Buffer.from('abc') });
  });

  test('may be mostly padding, which uses up no window for good', async () => {
    const wire = await open({
      serve: (asked, connection) => ({
        data: (bytes, from, to, isEnd) => {
          asked.data(bytes, from, to, isEnd);
          connection.consumed(asked.stream, to - from);
        },
        aborted: (code) => asked.aborted(code),
      }),
    });
    wire.request(1);
    for (let count = 0; count < 400; count++) {
      wire.send(FRAME.data, PADDED, 1, Buffer.concat([Buffer.of(254, count), Buffer.alloc(254)]));
      if (count % 100 === 0) await wire.settled();
    }
    wire.send(FRAME.data, END, 1);
    await wire.settled();
    expect(wire.resets(1)).toEqual([]);
    expect(wire.asked[0]).toMatchObject({ isEnded: true, abortedBy: [] });
    expect(wire.asked[0]?.body).toHaveLength(400);
  });

  test('that has ended has ended: nothing may follow, and its answer ends the stream', async () => {
    const wire = await open();
    for (const id of [1, 3]) {
      wire.request(id);
      wire.send(FRAME.data, END, id, Buffer.from('x'));
    }
    wire.send(FRAME.data, 0, 3, Buffer.from('y'));
    await wire.settled();
    answer(wire.asked[0]!, wire.connection);
    await wire.settled();
    expect([wire.resets(1), wire.resets(3)]).toEqual([[], [ERROR.streamClosed]]);
    expect(wire.asked[1]?.body).toEqual(Buffer.from('x'));
  });

  test('begins behind a header block in pieces, with padding and a priority', async () => {
    const wire = await open();
    const block = blockOf(REQUEST);
    const start = Buffer.concat([Buffer.of(3, 0, 0, 0, 9, 1), block.subarray(0, 4), Buffer.alloc(3)]);
    wire.send(FRAME.headers, PADDED | FLAG.priority, 1, start);
    wire.send(FRAME.continuation, 0, 1, block.subarray(4, 9));
    wire.send(FRAME.continuation, WHOLE, 1, block.subarray(9));
    wire.send(FRAME.data, END, 1, Buffer.from('body'));
    await wire.settled();
    expect(wire.asked[0]?.stream.head.path).toBe('/a.B/C');
    expect(wire.asked[0]).toMatchObject({ isEnded: true, body: Buffer.from('body') });
  });
});

describe('a connection that closes', () => {
  test('answers what is open, refuses what comes, and ends with the last answer', async () => {
    const wire = await open();
    wire.request(1, END);
    wire.request(3, END);
    await wire.settled();
    wire.connection.close();
    wire.connection.close();
    wire.request(5, END);
    await wire.settled();
    expect(wire.of(FRAME.goaway).map(({ payload }) => payload)).toEqual([uint32(3, ERROR.none)]);
    expect(wire.resets(5)).toEqual([ERROR.refusedStream]);
    for (const asked of wire.asked) answer(asked, wire.connection);
    await wire.closed;
    expect(wire.asked.map(({ stream }) => stream.id)).toEqual([1, 3]);
    expect(wire.of(FRAME.headers).map(({ streamId }) => streamId)).toEqual([1, 1, 3, 3]);
  });

  test('ends at once when nothing is open, and leaves no timer', async () => {
    const wire = await open();
    await wire.settled();
    const closed = once(wire.socket, 'close');
    wire.connection.close();
    await closed;
    expect(wire.clock.timers).toBe(0);
  });

  test('ends as its client resets the last stream', async () => {
    const wire = await open();
    wire.request(1);
    await wire.settled();
    wire.connection.close();
    wire.send(FRAME.rstStream, 0, 1, uint32(ERROR.cancel));
    await wire.closed;
    expect(wire.asked[0]?.abortedBy).toEqual([ERROR.cancel]);
  });

  test('whose client is gone before its answer leaves no timer', async () => {
    const wire = await open();
    wire.request(1);
    await wire.settled();
    wire.connection.close();
    const closed = once(wire.socket, 'close');
    wire.client.destroy();
    await closed;
    expect(wire.asked[0]?.abortedBy).toEqual([ERROR.cancel]);
    expect(wire.clock.timers).toBe(0);
  });

  test('gives notice first, so that requests on their way are answered', async () => {
    const wire = await open();
    await wire.settled();
    let pongs = 0;
    wire.connection.sendGoawayNotice();
    wire.connection.ping(() => {
      pongs += 1;
    });
    wire.request(1, END);
    await wire.settled();
    expect(wire.of(FRAME.goaway).map(({ payload }) => payload)).toEqual([uint32(STREAM_ID_MAX, ERROR.none)]);
    expect(wire.asked).toHaveLength(1);
    expect(pongs).toBe(0);
    wire.send(FRAME.ping, FLAG.ack, 0, Buffer.alloc(8));
    wire.send(FRAME.ping, FLAG.ack, 0, Buffer.alloc(8));
    await wire.settled();
    expect(pongs).toBe(1);
  });

  test('gives no notice when its last word was said', async () => {
    const wire = await open();
    wire.request(1);
    await wire.settled();
    wire.connection.close();
    wire.connection.sendGoawayNotice();
    await wire.settled();
    expect(wire.goaways()).toEqual([ERROR.none]);
  });
});

describe('a connection that has failed', () => {
  test('takes nothing any more of what still comes', async () => {
    const wire = await open();
    await wire.settled();
    wire.client.pause();
    const finished = once(wire.socket, 'finish');
    wire.send(FRAME.data, 0, 0);
    await finished;
    const heard = once(wire.socket, 'data');
    wire.request(1, END);
    await heard;
    expect(wire.asked).toEqual([]);
  });
});

describe('a connection that is gone', () => {
  test('has aborted what was open, once, and told whoever asked', async () => {
    const wire = await open();
    let closes = 0;
    wire.connection.onClose(() => {
      closes += 1;
    });
    wire.request(1);
    wire.request(3, END);
    await wire.settled();
    const closed = once(wire.socket, 'close');
    wire.connection.destroy();
    await closed;
    expect(wire.asked.map(({ abortedBy }) => abortedBy)).toEqual([[ERROR.cancel], [ERROR.cancel]]);
    expect(wire.connection.destroyed).toBe(true);
    expect(closes).toBe(1);
  });

  test('as its client half-closes it', async () => {
    const wire = await open();
    wire.request(1);
    await wire.settled();
    wire.client.end();
    await wire.closed;
    expect(wire.asked[0]?.abortedBy).toEqual([ERROR.cancel]);
  });
});

describe('a thousand streams that were opened and reset leave nothing', () => {
  test('the connection serves on, and closes at once', async () => {
    const wire = await open();
    for (let id = 1; id < 2_000; id += 2) {
      wire.request(id);
      wire.send(FRAME.data, 0, id, Buffer.alloc(1_000));
      wire.send(FRAME.rstStream, 0, id, uint32(ERROR.cancel));
    }
    wire.request(2_001, END);
    await wire.settled();
    const granted = wire.of(FRAME.windowUpdate, 0).reduce((sum, { payload }) => sum + payload.readUInt32BE(), 65_535);
    expect(granted - 1_000_000).toBeGreaterThan(1_048_576 / 2);
    answer(wire.asked.at(-1)!, wire.connection);
    wire.connection.close();
    await wire.closed;
    expect(wire.of(FRAME.headers).map(({ streamId }) => streamId)).toEqual([2_001, 2_001]);
    expect(wire.of(FRAME.rstStream)).toEqual([]);
    expect(wire.asked.filter(({ abortedBy }) => abortedBy.length === 1)).toHaveLength(1_000);
  });

  test('nor do those whose answers waited for a window', async () => {
    const wire = await open();
    for (let id = 1; id < 200; id += 2) wire.request(id, END);
    await wire.settled();
    for (const { stream } of wire.asked) wire.connection.sender.data(stream, Buffer.alloc(70_000), () => undefined);
    for (let id = 1; id < 200; id += 2) wire.send(FRAME.rstStream, 0, id, uint32(ERROR.cancel));
    await wire.settled();
    const before = wire.frames.length;
    wire.send(FRAME.windowUpdate, 0, 0, uint32(10_000_000));
    await wire.settled();
    expect(wire.frames.slice(before).map(({ type }) => type)).toEqual([FRAME.ping]);
    wire.connection.close();
    await wire.closed;
  });
});
