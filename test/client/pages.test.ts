/** Walking pages: each once, in order, until has_next is false, and no further than the caller goes. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { iterateItems, iteratePages, type PageRequest, type PagesOptions } from '../../src/client/pages.ts';
import { settled } from '../support/clock.ts';

const unhandled: unknown[] = [];
const note = (reason: unknown): void => {
  unhandled.push(reason);
};

beforeEach(() => {
  process.on('unhandledRejection', note);
});

afterEach(async () => {
  await settled();
  process.off('unhandledRejection', note);
  expect(unhandled.splice(0)).toEqual([]);
});

/** A list of numbers, and which pages of it were asked for. */
function numbers(count: number) {
  const asked: number[] = [];
  const signals: AbortSignal[] = [];
  const fetchPage = async ({ page, pageSize, signal }: PageRequest): Promise<unknown> => {
    asked.push(page);
    signals.push(signal);
    return envelope(page, pageSize, count);
  };
  return { asked, signals, fetchPage };
}

function envelope(page: number, pageSize: number, count: number): object {
  const from = (page - 1) * pageSize;
  const pages = Math.ceil(count / pageSize);
  return {
    data: Array.from({ length: Math.max(Math.min(pageSize, count - from), 0) }, (_, index) => from + index),
    pagination: {
      page,
      page_size: pageSize,
      total_count: count,
      total_pages: pages,
      has_next: page < pages,
      has_previous: page > 1,
    },
  };
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

describe.each([false, true])('prefetch %s', (prefetch) => {
  test.each<[count: number, options: PagesOptions, pages: number]>([
    [342, {}, 4],
    [342, { pageSize: 25 }, 14],
    [300, {}, 3],
    [1, {}, 1],
    [0, {}, 1],
  ])('%s entries with %j are read once each, in order, from %s pages', async (count, options, pages) => {
    const { asked, fetchPage } = numbers(count);
    const found = await all(iterateItems<number>(fetchPage, { ...options, prefetch }));
    expect(found).toEqual(Array.from({ length: count }, (_, index) => index));
    expect(asked).toEqual(Array.from({ length: pages }, (_, index) => index + 1));
  });

  test('a caller who breaks off asks for no page more, and what is under way is aborted', async () => {
    const { asked, signals, fetchPage } = numbers(342);
    for await (const { pagination } of iteratePages(fetchPage, { prefetch })) {
      expect(pagination.total_pages).toBe(4);
      break;
    }
    await settled();
    expect(asked).toEqual(prefetch ? [1, 2] : [1]);
    expect(signals.every(({ aborted }) => aborted)).toBe(true);
  });

  test('a page that fails is thrown where it would have come', async () => {
    const { fetchPage } = numbers(342);
    const failing = async (request: PageRequest): Promise<unknown> => {
      if (request.page === 2) throw new Error('no page 2');
      return fetchPage(request);
    };
    const walk = iteratePages<number>(failing, { prefetch });
    expect((await walk.next()).value?.data).toHaveLength(100);
    await settled();
    await expect(walk.next()).rejects.toThrow('no page 2');
    expect(await walk.next()).toEqual({ done: true, value: undefined });
  });

  test('an aborted walk ends with the reason of its signal', async () => {
    const abort = new AbortController();
    const walk = iteratePages(numbers(342).fetchPage, { prefetch: false, signal: abort.signal });
    await walk.next();
    abort.abort(new Error('enough'));
    await expect(walk.next()).rejects.toThrow('enough');
  });
});

test.each([0, -1, 1.5, Number.NaN])('a page size of %s is refused', async (pageSize) => {
  const { asked, fetchPage } = numbers(342);
  await expect(iteratePages(fetchPage, { pageSize }).next()).rejects.toThrow(/^pageSize: expected a whole number/);
  expect(asked).toEqual([]);
});

test('options that are undefined are their defaults', async () => {
  const undefineds = { pageSize: undefined, prefetch: undefined, signal: undefined, fetch: undefined, init: undefined };
  const { asked, fetchPage } = numbers(342);
  expect(await all(iterateItems(fetchPage, undefineds))).toHaveLength(342);
  expect(asked).toEqual([1, 2, 3, 4]);
});

test('the next page is asked for while this one is worked on, if that is wanted', async () => {
  const { asked, fetchPage } = numbers(342);
  const walk = iteratePages(fetchPage, { prefetch: true });
  await walk.next();
  expect(asked).toEqual([1, 2]);
  await walk.return();
});

describe('an answer that is not the envelope is refused', () => {
  const good = envelope(1, 100, 342) as { readonly pagination: object };
  test.each<[title: string, answer: unknown, code: string]>([
    ['null', null, 'PAGE_NOT_AN_ENVELOPE'],
    ['a list', [1, 2], 'PAGE_NOT_AN_ENVELOPE'],
    ['text', 'page', 'PAGE_NOT_AN_ENVELOPE'],
    ['no data', { pagination: good.pagination }, 'PAGE_NOT_AN_ENVELOPE'],
    ['no pagination', { data: [] }, 'PAGE_NOT_AN_ENVELOPE'],
    ['data that is no list', { ...good, data: {} }, 'PAGE_NOT_AN_ENVELOPE'],
    ['no has_next', { data: [], pagination: { page: 1 } }, 'PAGE_NOT_AN_ENVELOPE'],
    ['has_next as text', { data: [], pagination: { page: 1, has_next: 'false' } }, 'PAGE_NOT_AN_ENVELOPE'],
    ['another page than was asked for', envelope(2, 100, 342), 'PAGE_OTHER_THAN_ASKED'],
  ])('%s', async (_title, answer, code) => {
    const walk = iteratePages(async () => answer);
    await expect(walk.next()).rejects.toMatchObject({ name: 'PaginationError', code, page: 1 });
  });
});

describe('with an address', () => {
  test('page and page_size are set in its query, whatever else stands there', async () => {
    const called: unknown[] = [];
    const fetch = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
      called.push([String(input), new Headers(init?.headers).get('x-api-key')]);
      return Response.json(envelope(called.length, 200, 342));
    };
    const init = { headers: { 'X-API-Key': 'csk_pages' } };
    const source = 'https://api.example/things?color=red&page=7';
    expect(await all(iterateItems(source, { pageSize: 200, fetch, init }))).toHaveLength(342);
    expect(called).toEqual([
      ['https://api.example/things?color=red&page=1&page_size=200', 'csk_pages'],
      ['https://api.example/things?color=red&page=2&page_size=200', 'csk_pages'],
    ]);
  });

  test.each<[title: string, answer: () => Response, code: string, status: number]>([
    ['a refusal', () => Response.json({ error: {} }, { status: 403 }), 'PAGE_REFUSED', 403],
    ['a text', () => new Response('<html>'), 'PAGE_NOT_AN_ENVELOPE', 200],
  ])('%s is told with its status', async (_title, answer, code, status) => {
    const walk = iteratePages('https://api.example/things', { fetch: async () => answer() });
    await expect(walk.next()).rejects.toMatchObject({ name: 'PaginationError', code, page: 1, status });
  });
});

test('a relative address is one of the page that the client runs in', async () => {
  const asked: string[] = [];
  const fetch = async (input: unknown): Promise<Response> => {
    asked.push(String(input));
    return Response.json(envelope(1, 100, 0));
  };
  Object.assign(globalThis, { location: { href: 'https://app.example/deep/page' } });
  try {
    for await (const { data } of iteratePages('/things', { fetch })) expect(data).toEqual([]);
  } finally {
    Reflect.deleteProperty(globalThis, 'location');
  }
  expect(asked).toEqual(['https://app.example/things?page=1&page_size=100']);
});
