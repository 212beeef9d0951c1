/** Connect's handlers answer over a stream as it comes, and are told when nobody waits for their answer any more. */

import type { UniversalHandlerFn, UniversalServerRequest } from '@connectrpc/connect/protocol';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { UniversalCall } from '../../../src/surfaces/grpc/universal-call.ts';
import { ERROR, FLAG, FRAME, SETTING } from '../../../src/surfaces/rls/h2/frames.ts';
import { ManualClock, settled } from '../../support/clock.ts';
import { ConnectionUnderTest, REQUEST } from '../rls/h2/connection-under-test.ts';
import { settingsOf, uint32 } from '../rls/h2/frames-in.ts';

const { endStream: END } = FLAG;
const WINDOW = 65_535;

let wire: ConnectionUnderTest;
let handler: UniversalHandlerFn | undefined;
let requests: UniversalServerRequest[];
let errors: unknown[];
let clock: ManualClock;

beforeEach(async () => {
  requests = [];
  errors = [];
  clock = new ManualClock();
  const note = (): void => undefined;
  const error = (fields: object): void => void errors.push((fields as { err: unknown }).err);
  wire = await ConnectionUnderTest.open({
    serve: ({ stream }, connection) => {
      const call = new UniversalCall(stream, connection, clock);
      const noted: UniversalHandlerFn = (request) => {
        requests.push(request);
        return (handler as UniversalHandlerFn)(request);
      };
      call.start(handler && noted, { debug: note, info: note, warn: note, error });
      return call;
    },
  });
});

afterEach(() => {
  wire.client.destroy();
});

/** What came as an answer on this stream. */
function answerOf(streamId: number): { head: unknown; body: string; trailer: unknown; ended: boolean } {
  const [head, trailer] = wire
    .of(FRAME.headers, streamId)
    .map(({ payload }) => Object.fromEntries(wire.fields(payload)));
  const body = Buffer.concat(wire.of(FRAME.data, streamId).map(({ payload }) => payload)).toString('latin1');
  const ended = hasEnded(streamId) && wire.resets(streamId).every((code) => code === ERROR.none);
  return { head, body, trailer, ended };
}

function hasEnded(streamId: number): boolean {
  const isLast = (type: number): boolean => type === FRAME.data || type === FRAME.headers;
  return (
    wire.of(FRAME.rstStream, streamId).length > 0 ||
    wire.frames.some(({ type, flags, streamId: id }) => id === streamId && isLast(type) && (flags & END) !== 0)
  );
}

async function* chunksOf(...chunks: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield Buffer.from(chunk, 'latin1');
}

async function textOf(body: unknown): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body as AsyncIterable<Uint8Array>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('latin1');
}

describe('an answer', () => {
  test('has its head, its body and its trailers, also what has no place in ASCII', async () => {
    handler = async ({ body }) => {
      const text = await textOf(body);
      return {
        status: 201,
        header: new Headers({ a: '\u00e4' }),
        body: chunksOf(text, '!'),
        trailer: new Headers({ b: 'c' }),
      };
    };
    wire.request(1);
    wire.send(FRAME.data, 0, 1, Buffer.from('what'));
    wire.send(FRAME.data, END, 1, Buffer.from(' it asked'));
    await wire.until(() => hasEnded(1));
    expect(answerOf(1)).toEqual({
      head: { ':status': '201', a: '\u00e4' },
      body: 'what it asked!',
      trailer: { b: 'c' },
      ended: true,
    });
  });

  test.each<[what: string, answer: Awaited<ReturnType<UniversalHandlerFn>>, body: string]>([
    ['without trailers', { status: 200, body: chunksOf('x') }, 'x'],
    ['without a body', { status: 200, trailer: new Headers({ a: 'b' }) }, ''],
    ['of a head alone', { status: 200 }, ''],
    ['of empty parts', { status: 200, body: chunksOf('', 'x', '') }, 'x'],
    ['of no parts', { status: 200, body: chunksOf() }, ''],
  ])('%s ends as well', async (_what, answer, body) => {
    handler = () => Promise.resolve(answer);
    wire.request(1, END);
    await wire.until(() => hasEnded(1));
    expect(answerOf(1)).toMatchObject({ body, ended: true });
    expect(wire.resets(1)).toEqual([]);
    expect(errors).toEqual([]);
  });

  test('may come before its request has ended', async () => {
    handler = () => Promise.resolve({ status: 200, body: chunksOf('x') });
    wire.request(1);
    await wire.until(() => hasEnded(1));
    await wire.settled();
    expect(answerOf(1)).toMatchObject({ body: 'x', ended: true });
    expect(wire.resets(1)).toEqual([ERROR.none]);
  });

  test('with an error waits for the end of its request, which is then not cut short', async () => {
    handler = undefined;
    wire.request(1);
    await wire.settled();
    expect(wire.of(FRAME.headers, 1)).toEqual([]);
    wire.send(FRAME.data, END, 1);
    await wire.until(() => hasEnded(1));
    await wire.settled();
    expect(answerOf(1)).toMatchObject({ head: { ':status': '404' }, ended: true });
    expect(wire.resets(1)).toEqual([]);
    expect(clock.timers).toBe(0);
  });

  test('with an error waits no longer than a moment for a request that does not end', async () => {
    handler = undefined;
    wire.request(1);
    await wire.settled();
    clock.advance(250);
    await wire.until(() => hasEnded(1));
    await wire.settled();
    expect(answerOf(1)).toMatchObject({ head: { ':status': '404' } });
    expect(wire.resets(1)).toEqual([ERROR.none]);
  });

  test('to HEAD has no body', async () => {
    handler = undefined;
    wire.request(1, END, [[':method', 'HEAD'], ...REQUEST.slice(1)]);
    await wire.until(() => hasEnded(1));
    await wire.settled();
    expect(answerOf(1)).toMatchObject({ head: { ':status': '404' }, body: '', ended: true });
    expect(wire.frames.filter(({ streamId }) => streamId === 1)).toHaveLength(1);
  });

  test.each<[status: string, why: string, path: string, value: string]>([
    ['404', 'nobody serves the path', '/a.B/C', 'x'],
    ['404', 'the path is *', '*', 'x'],
    ['404', 'the path is a whole URL', 'http://a/b', 'x'],
    ['400', 'the path is none', 'http://[', 'x'],
    ['400', 'a value has what no field may have', '/a.B/C', 'a\0b'],
  ])('is %s where %s', async (status, _why, path, value) => {
    handler = undefined;
    wire.request(1, END, [...REQUEST.slice(0, 2), [':path', path], ['x', value]]);
    await wire.until(() => hasEnded(1));
    expect(answerOf(1)).toMatchObject({ head: { ':status': status }, ended: true });
  });

  test('makes no part before the one before it has left', async () => {
    let made = 0;
    handler = () =>
      Promise.resolve({
        status: 200,
        body: (async function* () {
          for (; made < 3; made++) yield Buffer.alloc(WINDOW);
        })(),
      });
    wire.request(1, END);
    await wire.settled();
    await wire.until(() => wire.of(FRAME.data, 1).length >= 4);
    await wire.settled();
    expect(made).toBe(1);
    wire.send(FRAME.windowUpdate, 0, 0, uint32(2 * WINDOW));
    wire.send(FRAME.windowUpdate, 0, 1, uint32(2 * WINDOW));
    await wire.until(() => hasEnded(1));
    expect(answerOf(1).body).toHaveLength(3 * WINDOW);
  });
});

describe('a handler gets', () => {
  test.each<[what: string, authority: string]>([
    ['no authority', ''],
    ['the name of a cluster', 'outbound|8081||ratelimit.svc'],
    ['a name', 'ratelimit:8081'],
  ])('its request whatever the authority is: %s', async (_what, authority) => {
    handler = () => Promise.resolve({ status: 200 });
    const fields = [...REQUEST.slice(0, 2), [':path', '/a.B/C?q=1'] as const, ['te', 'trailers'] as const];
    wire.request(1, END, authority === '' ? fields : [[':authority', authority], ...fields]);
    await wire.until(() => hasEnded(1));
    const { url, method, httpVersion, header } = requests[0]!;
    expect([new URL(url).searchParams.get('q'), method, httpVersion]).toEqual(['1', 'POST', '2.0']);
    expect([...header.keys()]).toEqual(['te']);
  });

  test('crumbs of a cookie as one', async () => {
    handler = () => Promise.resolve({ status: 200 });
    wire.request(1, END, [...REQUEST, ['cookie', 'a=1'], ['cookie', 'b=2']]);
    await wire.until(() => hasEnded(1));
    expect(requests[0]?.header.get('cookie')).toBe('a=1; b=2');
  });

  test('no more of a body than it asks for', async () => {
    const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
    handler = async ({ body }) => {
      await asked;
      return { status: 200, body: chunksOf(String((await textOf(body)).length)) };
    };
    wire.request(1);
    for (let count = 0; count < 4; count++) wire.send(FRAME.data, 0, 1, Buffer.alloc(WINDOW / 5));
    await wire.settled();
    expect(wire.of(FRAME.windowUpdate, 1)).toEqual([]);
    ask();
    await wire.until(() => wire.of(FRAME.windowUpdate, 1).length > 0);
    wire.send(FRAME.data, END, 1, Buffer.of(1));
    await wire.until(() => hasEnded(1));
    expect(answerOf(1).body).toBe(String((4 * WINDOW) / 5 + 1));
  });

  test('a signal that its answer has left', async () => {
    handler = () => Promise.resolve({ status: 200, body: chunksOf('x') });
    wire.request(1, END);
    await wire.until(() => hasEnded(1));
    await settled();
    expect(requests[0]?.signal.aborted).toBe(true);
  });
});

describe('a handler that fails', () => {
  test.each<[what: string, failing: UniversalHandlerFn]>([
    ['before it answers', () => Promise.reject(new Error('ours'))],
    [
      'within its answer',
      () =>
        Promise.resolve({
          status: 200,
          body: (async function* () {
            yield Buffer.of(1);
            throw new Error('ours');
          })(),
        }),
    ],
  ])('%s costs its stream alone, and is logged', async (_what, failing) => {
    handler = failing;
    wire.request(1, END);
    await wire.until(() => hasEnded(1));
    expect(wire.resets(1)).toEqual([ERROR.internal]);
    expect(errors).toEqual([new Error('ours')]);
    expect(wire.goaways()).toEqual([]);
  });
});

describe('a call that its client gives up', () => {
  /** Waits until nobody wants it. */
  function givenUp({ signal }: UniversalServerRequest): Promise<void> {
    return new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
  }

  let finished: string[];
  /** Whatever it was about is over. */
  async function* noted(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    try {
      yield* chunks;
    } finally {
      finished.push('body');
    }
  }

  async function* thenWaits(request: UniversalServerRequest, ...chunks: Uint8Array[]): AsyncGenerator<Uint8Array> {
    yield* chunks;
    await givenUp(request);
  }

  beforeEach(() => {
    finished = [];
  });

  const cases: [when: string, isEnded: boolean, handler: UniversalHandlerFn][] = [
    [
      'while it reads the request',
      false,
      async ({ body }) => ({ status: 200, body: chunksOf(await textOf(noted(body as AsyncIterable<Uint8Array>))) }),
    ],
    ['while it decides', true, (request) => givenUp(request).then(() => ({ status: 200, body: noted(chunksOf('x')) }))],
    ['before the first part', true, async (request) => ({ status: 200, body: noted(thenWaits(request)) })],
    ['between two parts', true, async (request) => ({ status: 200, body: noted(thenWaits(request, Buffer.of(1))) })],
    [
      'while a part waits for a window',
      true,
      async () => ({ status: 200, body: noted(chunksOf('x'.repeat(100_000), 'y')) }),
    ],
  ];

  test.each(cases)(
    '%s is told so, sends nothing more, and is no mistake of anybody',
    async (when, isEnded, answering) => {
      handler = answering;
      wire.request(1, isEnded ? END : 0);
      await wire.settled();
      await settled();
      const isBegun = when.includes('part') && !when.includes('first');
      if (isBegun) await wire.until(() => wire.of(FRAME.data, 1).length > 0);
      expect(requests[0]?.signal.aborted).toBe(false);
      wire.send(FRAME.rstStream, 0, 1, uint32(ERROR.cancel));
      await wire.settled();
      expect(requests[0]?.signal.aborted).toBe(true);
      await settled();
      const frames = wire.frames.filter(({ streamId }) => streamId === 1).length;
      wire.send(FRAME.windowUpdate, 0, 0, uint32(1_000_000));
      await wire.settled();
      expect(wire.frames.filter(({ streamId }) => streamId === 1)).toHaveLength(frames);
      expect(wire.resets(1)).toEqual([]);
      expect(errors).toEqual([]);
      if (isBegun || !isEnded) expect(finished).toEqual(['body']);
      wire.connection.close();
      await wire.closed;
    },
  );

  test('while its client is behind makes no more parts, and is over when the client is gone', async () => {
    wire.client.pause();
    wire.send(FRAME.settings, 0, 0, settingsOf([SETTING.initialWindowSize, 2 ** 31 - 1]));
    wire.send(FRAME.windowUpdate, 0, 0, uint32(2 ** 30));
    let made = 0;
    const parts = async function* (): AsyncGenerator<Uint8Array> {
      for (; made < 10; made++) yield Buffer.alloc(16_000_000);
    };
    handler = () => Promise.resolve({ status: 200, body: noted(parts()) });
    wire.request(1, END);
    while (wire.connection.ready() === undefined) await settled();
    for (let turn = 0; turn < 10; turn++) await settled();
    expect(made).toBe(0);
    wire.client.destroy();
    while (finished.length === 0) await settled();
    expect(requests[0]?.signal.aborted).toBe(true);
    expect(errors).toEqual([]);
  });
});
