/** The typed client against the running service. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { KeyView } from '../../src/app/key-view.ts';
import { HeadroomClient, iteratePages, type KeyRecord } from '../../src/client/client.ts';
import { type InProcess, startInProcess } from '../support/in-process.ts';
import { DOCUMENTED_POLICY } from '../support/service.ts';

const TOKEN = 'client-admin-token-0123456789';

let service: InProcess;
let client: HeadroomClient;

beforeAll(async () => {
  service = await startInProcess([readFileSync(DOCUMENTED_POLICY, 'utf8')], { ADMIN_TOKEN: TOKEN });
  client = new HeadroomClient({ baseUrl: `${service.http}/`, token: TOKEN });
});

afterAll(() => service?.stop());

async function usedInMinute(id: string): Promise<number | undefined> {
  const { policies } = await client.keyUsage(id);
  return policies[0]?.windows.find(({ name }) => name === 'minute')?.used;
}

test('a record is of the same type on both sides, which share no code', async () => {
  const { key: _, ...created } = await client.createKey({ name: 'typed' });
  const told: KeyView = await client.getKey(created.id);
  const known: KeyRecord = told;
  expect(known).toEqual(created);
});

describe('a key', () => {
  test('is created, read, changed and revoked', async () => {
    const metadata = { team: 'search' };
    const { key, ...created } = await client.createKey({ name: 'life', rate_limit_per_minute: 7, metadata });
    expect(key).toMatch(/^csk_[A-Za-z0-9]{38}$/);
    expect(created).toMatchObject({ name: 'life', type: 'secret', rate_limit_per_minute: 7, version: 1, metadata });
    expect(await client.getKey(created.id)).toEqual(created);
    expect(await client.lookupKey(key)).toEqual(created);
    const changed = await client.changeKey(created.id, { name: 'changed', expires_at: '2027-01-31T00:00:00Z' });
    expect(changed).toMatchObject({ name: 'changed', rate_limit_per_minute: 7, version: 2 });
    expect(Date.parse(changed.expires_at!)).toBe(Date.UTC(2027, 0, 31));
    expect(await client.changeKey(created.id, { expires_at: null })).toMatchObject({ expires_at: null });
    expect(await client.revokeKey(created.id, { ifVersion: 3 })).toMatchObject({ status: 'revoked' });
  });

  test('is counted, and reset as a whole or by one window', async () => {
    const { id, key } = await client.createKey({ name: 'counted', rate_limit_per_minute: 3 });
    expect(await client.check({ api_key: key, hits: 2 })).toMatchObject({ allowed: true, reason: 'within_limit' });
    expect(await client.check({ api_key: key, hits: 2 })).toMatchObject({ allowed: false, reason: 'over_limit' });
    expect(await usedInMinute(id)).toBe(2);
    await client.resetKey(id, { window: 'day' });
    expect(await usedInMinute(id)).toBe(2);
    await client.resetKey(id);
    expect(await usedInMinute(id)).toBe(0);
  });

  test('is rotated, and the key before is good for the time of grace', async () => {
    const { id, key } = await client.createKey({ name: 'rotated' });
    const rotated = await client.rotateKey(id, 3_600);
    expect(rotated.key).not.toBe(key);
    expect(Date.parse(rotated.previous_key_expires_at!)).toBeGreaterThan(Date.parse(rotated.updated_at));
    expect((await client.lookupKey(key)).id).toBe(id);
    expect((await client.rotateKey(id)).previous_key_expires_at).toBeNull();
    await expect(client.lookupKey(key)).rejects.toMatchObject({ status: 404 });
  });

  test('is created once, however often, with one Idempotency-Key', async () => {
    const options = { idempotencyKey: 'client-test' };
    const [first, second] = [
      await client.createKey({ name: 'once' }, options),
      await client.createKey({ name: 'once' }, options),
    ];
    expect(second).toEqual(first);
  });
});

describe('a refusal is an error with its code, status and field', () => {
  test.each<[title: string, call: (id: string) => Promise<unknown>, expected: object]>([
    ['unknown id', () => client.getKey('key_nothing'), { code: 'NOT_FOUND', status: 404 }],
    ['an id that would be another route', () => client.getKey('../keys'), { code: 'NOT_FOUND', status: 404 }],
    [
      'a limit that is none',
      (id) => client.changeKey(id, { rate_limit_per_day: -1 }),
      { code: 'INVALID_REQUEST', status: 400, details: { field: 'rate_limit_per_day' } },
    ],
    [
      'a version that is over',
      (id) => client.changeKey(id, { name: 'b' }, { ifVersion: 9 }),
      { code: 'PRECONDITION_FAILED', status: 412 },
    ],
    ['a text that is no key', () => client.lookupKey('csk_1'), { code: 'INVALID_REQUEST', status: 400 }],
    [
      'no token',
      () => new HeadroomClient({ baseUrl: service.http }).listKeys(),
      { code: 'UNAUTHENTICATED', status: 401 },
    ],
  ])('%s', async (_title, call, expected) => {
    const { id } = await client.createKey({ name: 'refused' });
    await expect(call(id)).rejects.toMatchObject({ name: 'HeadroomError', ...expected });
  });

  test.each<[title: string, answer: () => Response]>([
    ['a page of something else', () => new Response('<html>', { status: 502 })],
    ['another form of error', () => Response.json({ error: 'no' }, { status: 400 })],
    ['a success that is not JSON', () => new Response('ok')],
  ])('%s is an unexpected answer', async (_title, answer) => {
    const other = new HeadroomClient({ baseUrl: 'http://localhost', fetch: async () => answer() });
    await expect(other.listKeys()).rejects.toMatchObject({ code: 'UNEXPECTED_ANSWER', status: answer().status });
  });
});

describe('an option', () => {
  test.each<[name: string, call: (value: number) => Promise<unknown>]>([
    ['page', (page) => client.listKeys({}, { page })],
    ['pageSize', (pageSize) => client.audit({ pageSize })],
    ['ifVersion', (ifVersion) => client.changeKey('key_a', {}, { ifVersion })],
    ['ifVersion', (ifVersion) => client.revokeKey('key_a', { ifVersion })],
    ['ifVersion', (ifVersion) => client.rotateKey('key_a', 0, { ifVersion })],
    ['graceSeconds', (graceSeconds) => client.rotateKey('key_a', graceSeconds)],
  ])('%s that is no whole number is refused by its name', async (name, call) => {
    for (const value of [Number.NaN, -1, 1.5, Number.POSITIVE_INFINITY]) {
      const message = `${name}: expected a whole number from 0, got ${value}`;
      await expect(call(value)).rejects.toEqual(new RangeError(message));
    }
    await expect(call('1' as never)).rejects.toThrow(TypeError);
  });

  test('that is undefined is its default', async () => {
    const { id } = await client.createKey({ name: 'default' }, { idempotencyKey: undefined, signal: undefined });
    const undefineds = { ifVersion: undefined, idempotencyKey: undefined, signal: undefined };
    expect(await client.rotateKey(id, undefined, undefineds)).toMatchObject({ previous_key_expires_at: null });
    const { data } = await client.listKeys({ name: 'default' }, { page: undefined, pageSize: undefined });
    expect(data).toHaveLength(1);
  });
});

test('what is asked of the network can be aborted', async () => {
  const reason = new Error('enough');
  await expect(client.listKeys({}, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
});

test('342 keys are walked in 4 pages, each once, while others are created and revoked', async () => {
  const names = Array.from({ length: 342 }, (_, index) => `walked ${String(index).padStart(3, '0')}`);
  const ids: string[] = [];
  for (const name of names) ids.push((await client.createKey({ name })).id);
  const seen: string[] = [];
  let pages = 0;
  const walk = iteratePages<KeyRecord>((request) => client.listKeys({ name: 'walked' }, request));
  for await (const { data, pagination } of walk) {
    pages += 1;
    seen.push(...data.map(({ id }) => id));
    expect(pagination.has_next).toBe(pages < 4);
    // Later by name than any other, so that no page shifts.
    await client.createKey({ name: `walked later ${pages}` });
    await client.revokeKey(ids[pages * 3]!);
  }
  expect(pages).toBe(4);
  expect(seen.slice(0, 342)).toEqual(ids);
  expect(new Set(seen).size).toBe(seen.length);
});

test('the audit tells what was done', async () => {
  const { id } = await client.createKey({ name: 'audited' });
  const { data } = await client.audit({ pageSize: 1 });
  expect(data).toEqual([expect.objectContaining({ action: 'key.created', subject: id })]);
});

test('the limits of an admin can be reset', async () => {
  await expect(client.resetAdminLimit({ token: true })).resolves.toMatchObject({ reset: expect.any(Array) });
});
