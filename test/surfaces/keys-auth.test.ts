/** Who gets in at the admin API, how often, and how an operator gets in again. */
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { AdminApiUnderTest, OTHER_TOKEN, TOKEN } from '../support/admin-api.ts';
import { adminPolicy, GENEROUS, SHOP } from '../support/admin-policies.ts';
import { http1, postJson } from '../support/clients-http.ts';
import { type InProcess, startInProcess } from '../support/in-process.ts';
import { OpenApi } from '../support/openapi.ts';

let api: AdminApiUnderTest | undefined;
let server: InProcess | undefined;

async function start(...policies: readonly string[]): Promise<AdminApiUnderTest> {
  api = await AdminApiUnderTest.start([SHOP, ...policies]);
  return api;
}

beforeEach(() => {
  api = undefined;
  server = undefined;
});

afterEach(async () => {
  await api?.stop();
  await server?.stop();
});

describe('without ADMIN_TOKEN there is no admin API:', () => {
  test('its addresses are unknown ones, and the document does not know them', async () => {
    server = await startInProcess([SHOP]);
    const { http } = server;
    const unknown = JSON.parse((await http1(`${http}/v1/nothing`)).text);
    const headers = { authorization: 'Bearer ' };
    for (const path of ['/v1/keys', '/v1/keys/key_000000000000', '/v1/keys/lookup', '/v1/audit', '/v1/limits/reset']) {
      for (const method of ['GET', 'POST', 'DELETE']) {
        const { status, text } = await http1(http + path, { method, headers });
        expect({ status, body: JSON.parse(text) }).toEqual({
          status: 404,
          body: { error: { ...unknown.error, message: `there is nothing at ${path}` } },
        });
      }
    }
    const { document } = await OpenApi.of(http);
    expect(Object.keys(document.paths ?? {}).filter((path) => path !== '/v1/check' && path.startsWith('/v1'))).toEqual(
      [],
    );
    expect(JSON.stringify(document)).not.toContain('admin');
  });
});

describe('a right token', () => {
  test.each([
    ['the first', `Bearer ${TOKEN}`],
    ['the second', `Bearer ${OTHER_TOKEN}`],
    ['with the scheme in lower case', `bearer ${TOKEN}`],
    ['after several spaces', `BEARER   ${TOKEN}`],
  ])('%s gets in', async (_what, authorization) => {
    const { status } = await (await start()).call('GET', '/v1/keys', { token: null, headers: { authorization } });
    expect(status).toBe(200);
  });

  test.each([
    ['the beginning of one', TOKEN.slice(0, -1)],
    ['one and more', `${TOKEN}x`],
    ['both with their comma', `${TOKEN},${OTHER_TOKEN}`],
    ['in another case', TOKEN.toUpperCase()],
  ])('%s is a wrong one', async (_what, token) => {
    expect((await (await start()).call('GET', '/v1/keys', { token })).status).toBe(401);
  });
});

describe('the limits of the admin API', () => {
  test('are 6,000 a minute for a token and 20 for an address by default, told in the documented headers', async () => {
    const { call } = bound(await start());
    const right = await call('GET', '/v1/keys');
    const wrong = await call('GET', '/v1/keys', { token: 'wrong' });
    expect(right.headers).toMatchObject({ 'ratelimit-policy': '6000;w=60', 'ratelimit-limit': '6000' });
    expect(Number(right.headers['ratelimit-remaining'])).toBe(5_999);
    expect(Number(right.headers['ratelimit-reset'])).toBeGreaterThanOrEqual(1);
    expect(wrong.headers).toMatchObject({ 'ratelimit-policy': '20;w=60', 'x-ratelimit-limit': '20' });
  });

  test('count each token for itself, and end in the documented 429', async () => {
    const { call } = bound(await start(adminPolicy(2, 5)));
    const statuses = [await call('GET', '/v1/keys'), await call('GET', '/v1/keys')].map(({ status }) => status);
    const denied = await call('GET', '/v1/keys');
    expect(statuses).toEqual([200, 200]);
    expect(denied.status).toBe(429);
    const seconds = Number(denied.headers['retry-after']);
    expect(denied.json).toEqual({
      error: {
        code: 'RATE_LIMITED',
        message: 'Rate limit exceeded.',
        status: 429,
        details: { retry_after_seconds: seconds },
      },
    });
    expect(denied.headers).toMatchObject({
      'ratelimit-policy': '2;w=31536000',
      'ratelimit-limit': '2',
      'ratelimit-remaining': '0',
      'ratelimit-reset': String(seconds),
      'content-type': expect.stringMatching(/^application\/json/),
      'cache-control': 'no-store',
    });
    expect((await call('GET', '/v1/keys', { token: OTHER_TOKEN })).status).toBe(200);
  });

  test('charge mistakes and unknown ids like everything else', async () => {
    const { call } = bound(await start(adminPolicy(3, 5)));
    const mistakes = [
      await call('GET', '/v1/keys?page=0'),
      await call('GET', '/v1/keys/x'),
      await call('POST', '/v1/keys', { body: '{' }),
    ];
    expect(mistakes.map(({ headers }) => headers['ratelimit-remaining'])).toEqual(['2', '1', '0']);
    expect((await call('GET', '/v1/keys')).status).toBe(429);
  });

  test('let a token that is used up free itself, and nothing else', async () => {
    const { call } = bound(await start(adminPolicy(1, 5)));
    await call('GET', '/v1/keys');
    expect((await call('GET', '/v1/audit')).status).toBe(429);
    const { status, json } = await call('POST', '/v1/limits/reset', { body: { token: true } });
    expect({ status, json }).toEqual({
      status: 200,
      json: { reset: [{ limit: 'admin_token', value: expect.stringMatching(/^[0-9A-Za-z_-]{12}$/) }] },
    });
    const { json: audit } = await call('GET', '/v1/audit');
    expect(audit.data[0]).toMatchObject({ action: 'limits.reset', subject: 'headroom_admin', after: json.reset });
    expect((await call('GET', '/v1/audit')).status).toBe(429);
  });

  test('shut out an address whose wrong tokens are used up, even with the right one, until they are reset', async () => {
    const admin = await start(adminPolicy(100, 2));
    const { call } = bound(admin);
    const wrong = await Promise.all([1, 2, 3].map((n) => call('GET', '/v1/keys', { token: `wrong${n}` })));
    expect(wrong.map(({ status }) => status).sort()).toEqual([401, 401, 429]);
    expect(wrong.find(({ status }) => status === 429)?.headers).toMatchObject({ 'ratelimit-policy': '2;w=31536000' });
    for (const path of ['/v1/keys', '/v1/limits/reset']) {
      const method = path === '/v1/keys' ? 'GET' : 'POST';
      const answer = await call(method, path, { body: method === 'GET' ? undefined : { address: '127.0.0.1' } });
      expect({ path, status: answer.status }).toEqual({ path, status: 429 });
    }
    // From another address of this machine.
    const freed = await fromAddress('127.0.0.2', admin.server.httpPort, '{"address":"::ffff:127.0.0.1"}');
    expect(freed).toMatch(/^HTTP\/1\.1 200 /);
    expect(freed).toContain('{"reset":[{"limit":"admin_address","value":"127.0.0.1"}]}');
    expect((await call('GET', '/v1/keys')).status).toBe(200);
    expect((await call('GET', '/v1/keys', { token: 'wrong' })).status).toBe(401);
  });

  test('charge nothing to whoever presents no token', async () => {
    const { call } = bound(await start(adminPolicy(100, 1)));
    for (let time = 0; time < 5; time++) expect((await call('GET', '/v1/keys', { token: null })).status).toBe(401);
    expect((await call('GET', '/v1/keys', { token: 'wrong' })).status).toBe(401);
    expect((await call('GET', '/v1/keys', { token: 'wrong' })).status).toBe(429);
  });

  test('do not believe what a caller says of its address', async () => {
    const { call } = bound(await start(adminPolicy(100, 1)));
    const statuses: number[] = [];
    for (const address of ['192.0.2.1', '192.0.2.2']) {
      const headers = { 'x-forwarded-for': address, forwarded: `for=${address}`, 'x-real-ip': address };
      statuses.push((await call('GET', '/v1/keys', { token: 'wrong', headers })).status);
    }
    expect(statuses).toEqual([401, 429]);
  });

  test('cannot be used up or given back through the doors for decisions', async () => {
    const admin = await start(adminPolicy(100, 1));
    const { call } = bound(admin);
    const entries = [{ key: 'admin_address', value: '127.0.0.1' }];
    const ask = (descriptor: object) =>
      postJson(`${admin.server.http}/json`, { domain: 'headroom_admin', descriptors: [{ entries, ...descriptor }] });
    await ask({ hitsAddend: '5' });
    expect((await call('GET', '/v1/keys', { token: 'wrong' })).status).toBe(401);
    await ask({ isNegativeHits: true, hitsAddend: '5' });
    expect((await call('GET', '/v1/keys', { token: 'wrong' })).status).toBe(429);
  });
});

describe('the log', () => {
  test('holds no token, right or wrong, and no key', async () => {
    const admin = await start(GENEROUS);
    const { call } = bound(admin);
    const { key } = await admin.create();
    await call('POST', '/v1/keys/lookup', { body: { key } });
    await call('GET', '/v1/keys', { token: 'a-wrong-token' });
    await call('GET', `/v1/keys/${key}`);
    const log = admin.server.log.join('');
    expect(log).toContain('key.created');
    for (const secret of [TOKEN, 'a-wrong-token', key]) expect(log).not.toContain(secret);
  });
});

function bound(admin: AdminApiUnderTest): Pick<AdminApiUnderTest, 'call'> {
  return { call: admin.call.bind(admin) };
}

/** POST /v1/limits/reset with the right token from a local address. @returns the answer as it came */
function fromAddress(localAddress: string, port: number, body: string): Promise<string> {
  const head = [
    'POST /v1/limits/reset HTTP/1.1',
    'host: x',
    `authorization: Bearer ${TOKEN}`,
    'content-type: application/json',
    `content-length: ${body.length}`,
    'connection: close',
  ];
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, localAddress }, () =>
      socket.write(`${head.join('\r\n')}\r\n\r\n${body}`),
    );
    let answer = '';
    socket.on('data', (chunk) => {
      answer += chunk.toString();
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(answer));
  });
}
