/** What the admin API tells of use and of changes, one suite for every store of the registry. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type AdminAnswer, AdminApiUnderTest, OTHER_TOKEN } from '../support/admin-api.ts';
import { GENEROUS, SHOP } from '../support/admin-policies.ts';

type Json = AdminAnswer['json'];

/** @param env of the service; asked for when the tests begin */
export function describeUsage(store: string, env: () => Promise<Readonly<Record<string, string>>>): void {
  let api: AdminApiUnderTest;

  beforeAll(async () => {
    api = await AdminApiUnderTest.start([SHOP, GENEROUS], await env());
  });

  afterAll(() => api.stop());

  describe(`with the registry in ${store}, the usage`, () => {
    test('tells every window with the record’s own numbers', async () => {
      const { id, key } = await api.create({ rate_limit_per_day: 9 });
      await api.check(key, 4);
      const { status, json } = await api.call('GET', `/v1/keys/${id}/usage`);
      expect(status).toBe(200);
      const [day, year] = json.policies[0].windows;
      expect(json).toMatchObject({ id, policies: [{ domain: 'shop', policy: 'api_key' }] });
      expect(day).toMatchObject({ name: 'day', seconds: 86_400, limit: 9, used: 4, remaining: 5 });
      expect(year).toMatchObject({ name: 'year', seconds: 31_536_000, limit: 500, used: 4, remaining: 496 });
      expect(day.reset_at % 86_400).toBe(0);
      expect(day.reset_seconds).toBeGreaterThanOrEqual(1);
      expect(day.reset_seconds).toBeLessThanOrEqual(86_400);
    });

    test('tells the class of the key', async () => {
      const { id } = await api.create({ type: 'publishable' });
      const { json } = await api.call('GET', `/v1/keys/${id}/usage`);
      expect(json.policies).toMatchObject([{ policy: 'api_key.publishable', windows: [{ name: 'year', limit: 7 }] }]);
    });

    test.each<[what: string, body: object | undefined, left: object]>([
      ['all windows', undefined, { day: 0, year: 0 }],
      ['all windows of a domain', { domain: 'shop' }, { day: 0, year: 0 }],
      ['one window', { window: 'day' }, { day: 0, year: 6 }],
      ['one window of a domain', { window: 'year', domain: 'shop' }, { day: 6, year: 0 }],
    ])('is forgotten in %s', async (_what, body, left) => {
      const { id, key } = await api.create();
      await api.check(key, 6);
      const { status, headers, json } = await api.call('POST', `/v1/keys/${id}/reset`, { body });
      expect(status).toBe(200);
      expect(headers.etag).toMatch(/^W\/"[\w-]{22}"$/);
      expect(await api.usedOf(id)).toEqual(left);
      expect(Object.fromEntries(json.policies[0].windows.map(({ name, used }: Json) => [name, used]))).toEqual(left);
      expect(await api.newestAudit()).toMatchObject({
        action: 'key.usage_reset',
        subject: id,
        before: [
          { domain: 'shop', policy: 'api_key', window: 'day', used: 6 },
          { window: 'year', used: 6 },
        ],
        after: Object.entries(left).map(([window, used]) => ({ window, used })),
      });
    });
  });

  describe(`with the registry in ${store}, the audit`, () => {
    test('and the log cut long values of metadata short; the record keeps them', async () => {
      const long = '😀'.repeat(33);
      const { id, metadata } = await api.create({ metadata: { note: long } });
      await api.call('PATCH', `/v1/keys/${id}`, { body: { name: 'renamed' } });
      const short = { metadata: { note: `${'😀'.repeat(32)}…` } };
      expect(await api.newestAudit()).toMatchObject({ subject: id, before: short, after: short });
      const lines = api.server.log.filter((line) => line.includes('"audit"') && line.includes(id));
      expect(lines.map((line) => JSON.parse(line).after)).toMatchObject([short, short]);
      expect(metadata.note).toBe(long);
      expect((await api.call('GET', `/v1/keys/${id}`)).json.metadata.note).toBe(long);
    });

    test('tells who changed what, before and after, the newest first, and holds no key', async () => {
      const { key, ...created } = await api.create({ name: 'audited' });
      const { json: changed } = await api.call('PATCH', `/v1/keys/${created.id}`, {
        token: OTHER_TOKEN,
        body: { name: 'renamed' },
      });
      const { json: issued } = await api.call('POST', `/v1/keys/${created.id}/rotate`);
      const { key: newKey, previous_key_expires_at: _none, ...rotated } = issued;
      const { text, json } = await api.call('GET', '/v1/audit?page_size=3');
      expect(json.data).toMatchObject([
        { action: 'key.rotated', subject: created.id, before: changed, after: rotated },
        { action: 'key.changed', subject: created.id, before: created, after: changed },
        { action: 'key.created', subject: created.id, before: null, after: created },
      ]);
      const [actor, other, same] = json.data.map((entry: Json) => entry.actor);
      expect(actor).toMatch(/^token:[0-9A-Za-z_-]{12}$/);
      expect([other === actor, same === actor]).toEqual([false, true]);
      for (const secret of [key, newKey]) expect(text).not.toContain(secret.slice(4, 24));
    });

    test('is in the log, too, line by line', async () => {
      const { key, ...created } = await api.create({ name: 'logged' });
      const lines = api.server.log.filter((line) => line.includes(created.id)).map((line) => JSON.parse(line));
      expect(lines).toMatchObject([
        { '@message': 'audit', level: 'info', action: 'key.created', subject: created.id, after: created },
      ]);
      expect(api.server.log.join('')).not.toContain(key.slice(4, 24));
    });
  });

  describe(`with the registry in ${store}, what was read is not read again:`, () => {
    test.each(['/v1/keys/ID', '/v1/keys?name=still', '/v1/keys/ID/usage'])('%s', async (path) => {
      const { id } = await api.create({ name: 'still' });
      const url = path.replace('ID', id);
      const { headers } = await api.call('GET', url);
      const known = { headers: { 'if-none-match': `"x", ${headers.etag}` } };
      const unchanged = await api.call('GET', url, known);
      expect(unchanged).toMatchObject({ status: 304, text: '' });
      expect(unchanged.headers.etag).toBe(headers.etag);
      await api.call('PATCH', `/v1/keys/${id}`, { body: { rate_limit_per_day: 5 } });
      expect((await api.call('GET', url, known)).status).toBe(200);
    });

    test('HEAD answers as GET, without a body', async () => {
      const { id } = await api.create();
      const answer = await api.callUndocumented('HEAD', `/v1/keys/${id}`);
      expect(answer).toMatchObject({ status: 200, text: '' });
      expect(answer.headers.etag).toBe('"1"');
    });
  });
}
