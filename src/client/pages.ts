/** Walks the pages of a list in the documented envelope. Knows no particular API. */
import { baseUrl, type Fetch, REAL } from './environment.ts';
import { PaginationError } from './errors.ts';
import { requireCount } from './options.ts';

export interface Pagination {
  /** From 1. */
  readonly page: number;
  readonly page_size: number;
  readonly total_count: number;
  readonly total_pages: number;
  readonly has_next: boolean;
  readonly has_previous: boolean;
}

export interface Page<T> {
  readonly data: readonly T[];
  readonly pagination: Pagination;
}

export interface PageRequest {
  /** From 1. */
  readonly page: number;
  readonly pageSize: number;
  /** Aborted when the walk is, or when it ends before this page is wanted. */
  readonly signal: AbortSignal;
}

/** Gives the envelope as JSON.parse makes it; it is checked. */
export type FetchPage = (request: PageRequest) => Promise<unknown>;

/** What is undefined is its default. */
export interface PagesOptions {
  /** Default 100, the most that the documented lists give. */
  readonly pageSize?: number | undefined;
  /** Ask for the next page while this one is worked on. Default false. */
  readonly prefetch?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** With an address: what calls it. */
  readonly fetch?: Fetch | undefined;
  /** With an address: what else the calls need, such as headers. */
  readonly init?: RequestInit | undefined;
}

/**
 * Page by page, until `has_next` is false or the caller breaks off. Entries that are created or removed meanwhile may
 * shift others from page to page, if the API lets them.
 * @param source an address, whose `page` and `page_size` are set, or what gets a page
 * @throws PaginationError while iterating, what the source throws, and RangeError of a page size that makes no sense
 */
export async function* iteratePages<T>(
  source: string | URL | FetchPage,
  options: PagesOptions = {},
): AsyncGenerator<Page<T>, void, undefined> {
  const { pageSize = 100, prefetch = false } = options;
  requireCount('pageSize', pageSize, 1, Number.MAX_SAFE_INTEGER);
  const stop = new AbortController();
  const aborted = (): void => stop.abort(options.signal?.reason);
  if (options.signal?.aborted) aborted();
  options.signal?.addEventListener('abort', aborted, { once: true });
  const fetchPage = typeof source === 'function' ? source : pagesAt(source, options);
  const get = async (page: number): Promise<Page<T>> => {
    stop.signal.throwIfAborted();
    return checked<T>(page, await fetchPage({ page, pageSize, signal: stop.signal }));
  };
  try {
    let next: Promise<Page<T>> | undefined;
    for (let page = 1; ; page += 1) {
      const current = await (next ?? get(page));
      const { has_next } = current.pagination;
      next = prefetch && has_next ? get(page + 1) : undefined;
      // It is looked at when it is its turn, and never if the caller breaks off.
      next?.catch(() => undefined);
      yield current;
      if (!has_next) return;
    }
  } finally {
    options.signal?.removeEventListener('abort', aborted);
    stop.abort();
  }
}

/** As iteratePages, entry by entry. */
export async function* iterateItems<T>(
  source: string | URL | FetchPage,
  options: PagesOptions = {},
): AsyncGenerator<T, void, undefined> {
  for await (const { data } of iteratePages<T>(source, options)) yield* data;
}

function pagesAt(address: string | URL, { fetch = REAL.fetch, init }: PagesOptions): FetchPage {
  return async ({ page, pageSize, signal }) => {
    const url = new URL(address, baseUrl());
    url.searchParams.set('page', String(page));
    url.searchParams.set('page_size', String(pageSize));
    const response = await fetch(url, { ...init, signal });
    const text = await response.text();
    if (!response.ok) throw new PaginationError('PAGE_REFUSED', page, `status ${response.status}`, response.status);
    try {
      return JSON.parse(text);
    } catch {
      throw new PaginationError('PAGE_NOT_AN_ENVELOPE', page, 'the answer is not JSON', response.status);
    }
  };
}

function checked<T>(page: number, value: unknown): Page<T> {
  const { data, pagination } = fields(value);
  const { page: told, has_next } = fields(pagination);
  if (!Array.isArray(data) || typeof told !== 'number' || typeof has_next !== 'boolean') {
    const form = '{"data":[…],"pagination":{"page":…,"has_next":…}}';
    throw new PaginationError('PAGE_NOT_AN_ENVELOPE', page, `the answer is not of the form ${form}`);
  }
  // Whoever does not heed `page` gives the first one for ever.
  if (told !== page) throw new PaginationError('PAGE_OTHER_THAN_ASKED', page, `the answer is page ${told}`);
  return value as Page<T>;
}

function fields(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
