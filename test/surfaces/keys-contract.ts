/** What the admin API does with records, one suite for every store of the registry. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type AdminAnswer, AdminApiUnderTest, OTHER_TOKEN } from '../support/admin-api.ts';
import { GENEROUS, SHOP } from '../support/admin-policies.ts';

/** @param env of the service; asked for when the tests begin */
export function describeRecords(store: string, env: () => Promise<Readonly<Record<string, string>>>): void {
  let api: AdminApiUnderTest;

  beforeAll(async () => {
    api = await AdminApiUnderTest.start([SHOP, GENEROUS], await env());
  });

  afterAll(() => api.stop());

  describe(`with the registry in ${store}, a new key`, () => {
    test('is shown with its record, its address and its version', async () => {
      const { status, headers, json } = await api.call('POST', '/v1/keys', { body: { name: 'Café №1' } });
      expect(status).toBe(201);
      expect(headers).toMatchObject({ etag: '"1"', location: `/v1/keys/${json.id}`, 'cache-control': 'no-store' });
      expect(json).toEqual({
        id: expect.stringMatching(/^key_[0-9A-Za-z]{12}$/),
        name: 'Café №1',
        type: 'secret',
        prefix: 'csk_',
        rate_limit_per_minute: 0,
        rate_limit_per_day: 0,
        status: 'active',
        expires_at: null,
        created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        updated_at: json.created_at,
        version: 1,
        metadata: {},
        key: expect.stringMatching(/^csk_[0-9A-Za-z]{38}$/),
      });
    });

    test('takes everything that it was asked to have', async () => {
      const body = {
        name: 'x'.repeat(100),
        type: 'publishable',
        rate_limit_per_minute: 4_294_967_295,
        rate_limit_per_day: 5,
        status: 'disabled',
        expires_at: '2999-12-31T23:59:59Z',
        metadata: { owner: 'team a', 'note:é': 'line 1\nline 2', empty: '', constructor: 'x' },
      };
      const created = await api.create(body);
      expect(created).toMatchObject({ ...body, prefix: 'cpk_' });
      const { key: _shownOnce, ...record } = created;
      expect((await api.call('GET', `/v1/keys/${created.id}`)).json).toEqual(record);
    });

    test('is counted at once by its own limits', async () => {
      const { key, id } = await api.create({ rate_limit_per_day: 3 });
      expect(await api.check(key, 3)).toMatchObject({ allowed: true });
      expect(await api.check(key)).toMatchObject({ allowed: false, reason: 'over_limit' });
      expect(await api.usedOf(id)).toEqual({ day: 3, year: 3 });
    });
  });

  describe(`with the registry in ${store}, a change`, () => {
    test('changes what it names, and the version', async () => {
      const { id, created_at } = await api.create({ metadata: { a: '1' }, expires_at: '2999-01-01T00:00:00Z' });
      const { status, headers, json } = await api.call('PATCH', `/v1/keys/${id}`, {
        body: { name: 'new', rate_limit_per_minute: 7, expires_at: null, metadata: { b: '2' } },
      });
      expect(status).toBe(200);
      expect(headers.etag).toBe('"2"');
      expect(json).toMatchObject({
        name: 'new',
        rate_limit_per_minute: 7,
        rate_limit_per_day: 0,
        version: 2,
        created_at,
      });
      expect(json).toMatchObject({ expires_at: null, metadata: { b: '2' } });
      expect((await api.call('GET', `/v1/keys/${id}`)).json).toEqual(json);
    });

    test('rules the next decision: raised, lowered below what is used, back to the default', async () => {
      const { key, id } = await api.create({ rate_limit_per_day: 2 });
      await api.check(key, 2);
      const day = async (rate_limit_per_day: number) => {
        await api.call('PATCH', `/v1/keys/${id}`, { body: { rate_limit_per_day } });
        const { allowed, windows } = await api.check(key);
        return { allowed, limit: windows[0].limit, remaining: windows[0].remaining };
      };
      expect(await day(4)).toEqual({ allowed: true, limit: 4, remaining: 1 });
      expect(await day(1)).toEqual({ allowed: false, limit: 1, remaining: 0 });
      expect(await day(0)).toEqual({ allowed: true, limit: 50, remaining: 46 });
    });

    test.each([
      ['none', undefined],
      ['that of its version', '"1"'],
      ['one of several', '"7", "1"'],
      ['any', '*'],
    ])('is made with If-Match: %s', async (_what, tag) => {
      const { id } = await api.create();
      const headers = tag === undefined ? {} : { 'if-match': tag };
      const { status } = await api.call('PATCH', `/v1/keys/${id}`, { headers, body: { name: 'new' } });
      expect(status).toBe(200);
    });

    test('on the condition of a version is made once, however many ask at the same time', async () => {
      const { id } = await api.create();
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, index) =>
          api.call('PATCH', `/v1/keys/${id}`, { headers: { 'if-match': '"1"' }, body: { name: `n${index}` } }),
        ),
      );
      expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(49).fill(412)]);
    });

    test('without a condition is made by all that ask at the same time', async () => {
      const { id } = await api.create();
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, index) => api.call('PATCH', `/v1/keys/${id}`, { body: { name: `n${index}` } })),
      );
      expect(answers.map(({ status }) => status)).toEqual(Array(50).fill(200));
      expect((await api.call('GET', `/v1/keys/${id}`)).json.version).toBe(51);
    });
  });

  test.each([
    { given: '2030-01-01T00:00:00.001Z', kept: '2030-01-01T00:00:01Z' },
    { given: '2030-01-01T00:00:00.000Z', kept: '2030-01-01T00:00:00Z' },
    { given: '2030-01-01T02:30:00+02:30', kept: '2030-01-01T00:00:00Z' },
    { given: '1970-12-31T23:59:59.1Z', kept: '1971-01-01T00:00:00Z' },
    { given: '1970-12-31T12:00:00-12:00', kept: '1971-01-01T00:00:00Z' },
    { given: '9999-12-31T23:59:58.9999999Z', kept: '9999-12-31T23:59:59Z' },
  ])(
    `with the registry in ${store}, a key that expires at $given expires no earlier: $kept`,
    async ({ given, kept }) => {
      expect((await api.create({ expires_at: given })).expires_at).toBe(kept);
    },
  );

  describe(`with the registry in ${store}, revoking`, () => {
    test.each([
      { title: 'nothing that calls itself JSON', body: '' },
      { title: 'nothing at all', body: undefined },
    ])('needs no body: $title', async ({ body }) => {
      const { id } = await api.create();
      expect((await api.call('DELETE', `/v1/keys/${id}`, { body })).status).toBe(200);
      const other = await api.create();
      expect((await api.call('POST', `/v1/keys/${other.id}/rotate`, { body })).status).toBe(200);
    });

    test('is final, and made only once', async () => {
      const { id } = await api.create();
      const first = await api.call('DELETE', `/v1/keys/${id}`);
      const again = await api.call('DELETE', `/v1/keys/${id}`);
      expect(first).toMatchObject({ status: 200, json: { status: 'revoked', version: 2 } });
      expect(again).toMatchObject({ status: 200, json: first.json });
      for (const [method, path, body] of [
        ['PATCH', '', { status: 'active' }],
        ['POST', '/rotate', {}],
      ] as const) {
        const { status, json } = await api.call(method, `/v1/keys/${id}${path}`, { body });
        expect({ status, error: json.error }).toMatchObject({
          status: 409,
          error: { code: 'CONFLICT', details: { field: 'status' } },
        });
      }
      expect((await api.newestAudit()).action).toBe('key.revoked');
    });

    test('by a change is as final, and audited as what it is', async () => {
      const { id } = await api.create();
      const { status, json } = await api.call('PATCH', `/v1/keys/${id}`, { body: { status: 'revoked' } });
      expect({ status, json }).toMatchObject({ status: 200, json: { status: 'revoked', version: 2 } });
      expect(await api.newestAudit()).toMatchObject({ action: 'key.revoked', subject: id });
      expect((await api.call('PATCH', `/v1/keys/${id}`, { body: { status: 'active' } })).status).toBe(409);
    });

    test('of another version than the one asked for is refused', async () => {
      const { id } = await api.create();
      const { status } = await api.call('DELETE', `/v1/keys/${id}`, { headers: { 'if-match': '"9"' } });
      expect(status).toBe(412);
      expect((await api.call('GET', `/v1/keys/${id}`)).json.status).toBe('active');
    });
  });

  describe(`with the registry in ${store}, rotating`, () => {
    const lookup = async (key: string) => (await api.call('POST', '/v1/keys/lookup', { body: { key } })).status;

    test('gives a new key with the same record and counters; the one before is good no more', async () => {
      const { id, key } = await api.create();
      await api.check(key, 5);
      const { status, headers, json } = await api.call('POST', `/v1/keys/${id}/rotate`);
      expect(status).toBe(200);
      expect(headers).toMatchObject({ etag: '"2"', 'cache-control': 'no-store' });
      expect(json).toMatchObject({ id, version: 2, previous_key_expires_at: null });
      expect(json.key).not.toBe(key);
      expect([await lookup(key), await lookup(json.key)]).toEqual([404, 200]);
      expect((await api.check(json.key)).windows[0]).toMatchObject({ name: 'day', remaining: 44 });
    });

    test('with a grace time leaves the one before good until then, and only the last one', async () => {
      const { id, key } = await api.create();
      const before = Math.floor(Date.now() / 1_000);
      const second = await api.call('POST', `/v1/keys/${id}/rotate`, { body: { grace_seconds: 3_600 } });
      const until = Date.parse(second.json.previous_key_expires_at) / 1_000;
      expect(until).toBeGreaterThanOrEqual(before + 3_600);
      expect(until).toBeLessThanOrEqual(Date.now() / 1_000 + 3_600);
      expect([await lookup(key), await lookup(second.json.key)]).toEqual([200, 200]);
      await api.call('POST', `/v1/keys/${id}/rotate`, { body: { grace_seconds: 3_600 } });
      expect([await lookup(key), await lookup(second.json.key)]).toEqual([404, 200]);
    });
  });

  describe(`with the registry in ${store}, looking a key up`, () => {
    test('finds its record, inactive or not, and does not repeat the key', async () => {
      const { key, ...record } = await api.create({ status: 'disabled' });
      const { status, headers, text, json } = await api.call('POST', '/v1/keys/lookup', { body: { key } });
      expect({ status, json }).toEqual({ status: 200, json: record });
      expect(headers.etag).toBe('"1"');
      expect(text).not.toContain(key);
    });

    test('that was never handed out is 404, naming the key', async () => {
      const { id, key } = await api.create();
      const { json } = await api.call('POST', `/v1/keys/${id}/rotate`);
      expect(json.key).not.toBe(key);
      const answer = await api.call('POST', '/v1/keys/lookup', { body: { key } });
      expect(answer.json.error).toMatchObject({ code: 'NOT_FOUND', status: 404, details: { field: 'key' } });
    });

    test('with a mistyped character is 400, naming the key', async () => {
      const { key } = await api.create();
      const mistyped = key.slice(0, 20) + (key[20] === 'a' ? 'b' : 'a') + key.slice(21);
      const { json } = await api.call('POST', '/v1/keys/lookup', { body: { key: mistyped } });
      expect(json.error).toMatchObject({ code: 'INVALID_REQUEST', status: 400, details: { field: 'key' } });
    });
  });

  describe(`with the registry in ${store}, an Idempotency-Key`, () => {
    const once = (name: string) => ({ headers: { 'idempotency-key': name } });

    test('gives the same answer to the same request, the key included', async () => {
      const call = { ...once('create-1'), body: { name: 'once', type: 'publishable' } };
      const first = await api.call('POST', '/v1/keys', call);
      const again = await api.call('POST', '/v1/keys', { ...call, body: { type: 'publishable', name: 'once' } });
      expect([first.status, again.status]).toEqual([201, 201]);
      expect(again.text).toBe(first.text);
      expect(first.headers['idempotent-replayed']).toBeUndefined();
      const { location, etag } = first.headers;
      expect(again.headers).toMatchObject({ 'idempotent-replayed': 'true', location, etag });
    });

    test('does not mind the order of metadata, and minds its content', async () => {
      const bodies = [
        { a: '1', b: '2,3', 'b,2': '3' },
        { 'b,2': '3', b: '2,3', a: '1' },
        { a: '1', b: '2', 'b,2': '3' },
      ];
      const answers: AdminAnswer[] = [];
      for (const metadata of bodies) {
        answers.push(await api.call('POST', '/v1/keys', { ...once('create-5'), body: { name: 'once', metadata } }));
      }
      expect(answers.map(({ status }) => status)).toEqual([201, 201, 409]);
      expect(answers[1]?.text).toBe(answers[0]?.text);
    });

    test('with another request is 409, naming the header', async () => {
      await api.call('POST', '/v1/keys', { ...once('create-2'), body: { name: 'a' } });
      const { status, json } = await api.call('POST', '/v1/keys', { ...once('create-2'), body: { name: 'b' } });
      expect(status).toBe(409);
      expect(json.error).toMatchObject({ code: 'CONFLICT', details: { field: 'idempotency-key' } });
    });

    test('makes one key, however many ask at the same time', async () => {
      const call = { ...once('create-3'), body: { name: 'concurrent' } };
      const answers = await Promise.all(Array.from({ length: 10 }, () => api.call('POST', '/v1/keys', call)));
      expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
      expect(answers.filter(({ headers }) => headers['idempotent-replayed'] === undefined)).toHaveLength(1);
      expect((await api.call('GET', '/v1/keys?name=concurrent')).json.pagination.total_count).toBe(1);
    });

    test('is another token’s own affair', async () => {
      const call = { ...once('create-4'), body: { name: 'mine' } };
      const mine = await api.call('POST', '/v1/keys', call);
      const theirs = await api.call('POST', '/v1/keys', { ...call, token: OTHER_TOKEN });
      expect(theirs.status).toBe(201);
      expect(theirs.json.id).not.toBe(mine.json.id);
    });

    test('rotates once, also when the version that was asked for has passed by then', async () => {
      const { id } = await api.create();
      const call = { headers: { 'idempotency-key': 'rotate-1', 'if-match': '"1"' }, body: { grace_seconds: 60 } };
      const first = await api.call('POST', `/v1/keys/${id}/rotate`, call);
      const again = await api.call('POST', `/v1/keys/${id}/rotate`, call);
      expect(first.status).toBe(200);
      expect({ status: again.status, text: again.text }).toEqual({ status: 200, text: first.text });
      expect(again.headers['idempotent-replayed']).toBe('true');
      const other = await api.call('POST', `/v1/keys/${id}/rotate`, { ...call, body: { grace_seconds: 61 } });
      expect(other).toMatchObject({ status: 409, json: { error: { details: { field: 'idempotency-key' } } } });
    });

    test('rotates once on the condition of a version, however many ask at the same time', async () => {
      const { id } = await api.create();
      const call = { headers: { 'idempotency-key': 'rotate-3', 'if-match': '"1"' } };
      const path = `/v1/keys/${id}/rotate`;
      const answers = await Promise.all(Array.from({ length: 10 }, () => api.call('POST', path, call)));
      expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
      expect(answers[0]?.status).toBe(200);
    });

    test('of one key says nothing to another', async () => {
      const [one, other] = [await api.create(), await api.create()];
      const rotated = await api.call('POST', `/v1/keys/${one.id}/rotate`, once('rotate-2'));
      const second = await api.call('POST', `/v1/keys/${other.id}/rotate`, once('rotate-2'));
      expect([rotated.json.id, second.json.id]).toEqual([one.id, other.id]);
    });
  });
}
