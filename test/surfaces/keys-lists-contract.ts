/** How keys are listed, one suite for every store of the registry. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type AdminAnswer, AdminApiUnderTest } from '../support/admin-api.ts';
import { GENEROUS, SHOP } from '../support/admin-policies.ts';

type Json = AdminAnswer['json'];

const KEYS = 342;

/** @param env of the service; asked for when the tests begin */
export function describeLists(store: string, env: () => Promise<Readonly<Record<string, string>>>): void {
  let api: AdminApiUnderTest;
  /** In the order of their creation. */
  let ids: string[];

  beforeAll(async () => {
    api = await AdminApiUnderTest.start([SHOP, GENEROUS], await env());
    ids = [];
    for (let index = 0; index < KEYS; index++) {
      const type = index % 10 === 0 ? 'publishable' : 'secret';
      const status = index % 100 === 0 ? 'disabled' : 'active';
      ids.push((await api.create({ name: `n${String(index).padStart(3, '0')}`, type, status })).id);
    }
  });

  afterAll(() => api.stop());

  async function list(query: string): Promise<Json> {
    const { status, json, text } = await api.call('GET', `/v1/keys?${query}`);
    if (status !== 200) throw new Error(text);
    return json;
  }

  /** The documented loop. @param between what happens after each page */
  async function walk(query: string, between: (page: number) => Promise<unknown> = async () => undefined) {
    const pages: Json[] = [];
    for (let page = 1; ; page++) {
      const answer = await list(`${query}&page=${page}&page_size=100`);
      pages.push(answer);
      if (!answer.pagination.has_next) return pages;
      await between(page);
    }
  }

  function idsIn(pages: readonly Json[]): string[] {
    return pages.flatMap(({ data }) => data.map(({ id }: Json) => id));
  }

  describe(`a list of ${KEYS} keys in ${store}`, () => {
    test('is walked in 4 pages, each key once, with right totals and flags on each', async () => {
      const pages = await walk('');
      expect(pages.map(({ pagination }) => pagination)).toEqual(
        [1, 2, 3, 4].map((page) => ({
          page,
          page_size: 100,
          total_count: KEYS,
          total_pages: 4,
          has_next: page < 4,
          has_previous: page > 1,
        })),
      );
      expect(idsIn(pages)).toEqual(ids);
    });

    test('has 25 to a page by default', async () => {
      const { data, pagination } = await list('');
      expect(data).toHaveLength(25);
      expect(pagination).toMatchObject({ page: 1, page_size: 25, total_pages: 14 });
    });

    test.each([
      ['-created_at', () => ids.toReversed()],
      ['name', () => ids],
      ['-name', () => ids.toReversed()],
    ])('is sorted by %s', async (sort, expected) => {
      expect(idsIn(await walk(`sort=${sort}`))).toEqual(expected());
    });

    test.each([
      ['type=publishable', 35],
      ['type=secret', 307],
      ['status=disabled', 4],
      ['status=active', 338],
      ['status=revoked', 0],
      ['type=secret&status=disabled', 0],
      ['name=n', 342],
      ['name=n1', 100],
      ['name=n34', 2],
      ['name=n341', 1],
      ['name=N', 0],
      ['name=n1&type=publishable', 10],
      ['name=n1&status=disabled&sort=-name', 1],
    ])('filtered by %s has %i', async (query, count) => {
      const pages = await walk(query);
      expect(pages.map(({ pagination }) => pagination.total_count)).toEqual(pages.map(() => count));
      expect(new Set(idsIn(pages)).size).toBe(count);
    });

    test('beyond its last page has no data and the right totals', async () => {
      for (const page of [5, 2_147_483_647]) {
        const { data, pagination } = await list(`page=${page}&page_size=100`);
        expect(data).toEqual([]);
        expect(pagination).toMatchObject({
          page,
          total_count: KEYS,
          total_pages: 4,
          has_next: false,
          has_previous: true,
        });
      }
    });

    test('that is empty has no pages before or after it', async () => {
      const { data, pagination } = await list('name=none&page=3');
      expect(data).toEqual([]);
      expect(pagination).toMatchObject({ total_count: 0, total_pages: 0, has_next: false, has_previous: false });
    });

    test('shows neither keys nor what is kept of them', async () => {
      const [record] = (await list('page_size=1')).data;
      expect(Object.keys(record).sort()).toEqual([
        'created_at',
        'expires_at',
        'id',
        'metadata',
        'name',
        'prefix',
        'rate_limit_per_day',
        'rate_limit_per_minute',
        'status',
        'type',
        'updated_at',
        'version',
      ]);
    });

    test('is walked without missing or doubling an untouched key while others come and are revoked', async () => {
      const pages = await walk('', async (page) => {
        await api.create({ name: `late${page}` });
        await api.call('DELETE', `/v1/keys/${ids[page]}`);
      });
      const seen = idsIn(pages);
      expect(seen.filter((id) => ids.includes(id))).toEqual(ids);
      expect(new Set(seen).size).toBe(seen.length);
    });
  });

  describe(`the audit in ${store}`, () => {
    test('is walked in pages as a list is, and keeps its totals beyond the end', async () => {
      const { json } = await api.call('GET', '/v1/audit?page=2&page_size=100');
      const total = json.pagination.total_count;
      expect(total).toBeGreaterThanOrEqual(KEYS);
      expect(json.pagination).toMatchObject({
        page: 2,
        page_size: 100,
        total_pages: Math.ceil(total / 100),
        has_previous: true,
      });
      expect(json.data).toHaveLength(100);
      const beyond = (await api.call('GET', '/v1/audit?page=1000')).json;
      expect(beyond).toMatchObject({
        data: [],
        pagination: { total_count: total, has_next: false, has_previous: true },
      });
    });
  });
}
