/** /openapi.json and /docs: a document that is true, and a page that needs nobody else to show it. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type HttpAnswer, http1, postJson } from '../support/clients-http.ts';
import { type InProcess, startInProcess } from '../support/in-process.ts';
import { type Json, OpenApi } from '../support/openapi.ts';

const POLICY = `
domain: doors
descriptors:
  - key: user
    limits:
      - { requests: 5, per: year }
  - key: observed
    shadow_mode: true
    limits:
      - { requests: 0, per: year }
`;

let server: InProcess;
let api: OpenApi;
let document: Json;

beforeAll(async () => {
  server = await startInProcess([POLICY]);
  api = await OpenApi.of(server.http);
  document = api.document;
});

afterAll(() => server.stop());

function user(value: string, hits_addend = 1): object {
  return { domain: 'doors', descriptors: [{ entries: [{ key: 'user', value }], hits_addend }] };
}

/** Every object in the document, with where it stands. */
function objects(json: unknown, path: readonly string[] = []): [readonly string[], Record<string, unknown>][] {
  if (typeof json !== 'object' || json === null) return [];
  const here = Array.isArray(json) ? [] : [[path, json] as [readonly string[], Record<string, unknown>]];
  return [...here, ...Object.entries(json).flatMap(([name, value]) => objects(value, [...path, name]))];
}

describe('/openapi.json', () => {
  test('is OpenAPI 3.1 of this very service', () => {
    expect(document.openapi).toMatch(/^3\.1\.\d+$/);
    expect(document.info).toMatchObject({ title: 'Headroom', version: '0.0.0-test', description: expect.any(String) });
    expect(Object.keys(document.paths ?? {})).toEqual(
      expect.arrayContaining(['/v1/check', '/healthcheck', '/healthz', '/readyz']),
    );
  });

  test('describes only paths and methods that are answered', async () => {
    const operations = Object.entries(document.paths ?? {}).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => ({ path, method: method.toUpperCase() })),
    );
    expect(operations.length).toBeGreaterThan(3);
    for (const { path, method } of operations) {
      const { status } = await http1(server.http + path, { method });
      expect({ path, method, isThere: status !== 404 && status !== 405 }).toEqual({ path, method, isThere: true });
    }
  });

  test('gives every operation a summary, and every response a status and a description', () => {
    const operations = Object.values(document.paths ?? {}).flatMap((methods) => Object.values(methods));
    for (const operation of operations) {
      expect(operation.summary).toEqual(expect.any(String));
      for (const [status, response] of Object.entries(operation.responses ?? {})) {
        expect(status).toMatch(/^([1-5]\d\d|[1-5]XX|default)$/);
        expect(response.description).toEqual(expect.any(String));
      }
    }
  });

  test('refers only to what it contains', () => {
    const refs = objects(document).flatMap(([, json]) => ('$ref' in json ? [String(json.$ref)] : []));
    expect(refs.filter((ref) => !ref.startsWith('#/') || api.resolve(ref) === undefined)).toEqual([]);
  });

  test('requires only properties that it describes', () => {
    const bad = objects(document).filter(([, { required, properties }]) => {
      const known = Object.keys((properties as object | undefined) ?? {});
      return Array.isArray(required) && required.some((name) => !known.includes(name));
    });
    expect(bad).toEqual([]);
  });
});

describe('an answer matches its schema:', () => {
  test.each<[what: string, status: number, ask: () => Promise<HttpAnswer>]>([
    ['allowed', 200, () => postJson(`${server.http}/v1/check`, user('a'))],
    ['denied', 200, () => postJson(`${server.http}/v1/check`, user('b', 6))],
    ['without a limit', 200, () => postJson(`${server.http}/v1/check`, { domain: 'x', api_key: 'k' })],
    [
      'shadowed',
      200,
      () =>
        postJson(`${server.http}/v1/check`, {
          domain: 'doors',
          descriptors: [{ entries: [{ key: 'observed', value: '' }] }],
        }),
    ],
    ['an invalid request', 400, () => postJson(`${server.http}/v1/check`, {})],
    ['no JSON', 400, () => postJson(`${server.http}/v1/check`, '{')],
    ['too large a body', 413, () => postJson(`${server.http}/v1/check`, ' '.repeat(70_000))],
    ['another type', 415, () => http1(`${server.http}/v1/check`, { method: 'POST', body: '{}' })],
  ])('%s', async (_what, status, ask) => {
    const answer = await ask();
    expect(answer.status).toBe(status);
    expect(api.responseSchema('post', '/v1/check', status).safeParse(JSON.parse(answer.text))).toMatchObject({
      success: true,
    });
  });

  test('ready', async () => {
    const { text } = await http1(`${server.http}/readyz`);
    expect(api.responseSchema('get', '/readyz', 200).safeParse(JSON.parse(text))).toMatchObject({ success: true });
  });

  test('unavailable and not ready', async () => {
    const out = await startInProcess([POLICY], { REDIS_URL: '/nowhere/redis.sock' });
    const check = await postJson(`${out.http}/v1/check`, user('c'));
    const ready = await http1(`${out.http}/readyz`);
    await out.stop();
    expect([check.status, ready.status]).toEqual([503, 503]);
    expect(api.responseSchema('post', '/v1/check', 503).safeParse(JSON.parse(check.text))).toMatchObject({
      success: true,
    });
    expect(api.responseSchema('get', '/readyz', 503).safeParse(JSON.parse(ready.text))).toMatchObject({
      success: true,
    });
  });
});

describe('a request is valid by the document and by the server alike:', () => {
  test.each<[body: object]>([
    [user('d')],
    [user('d', 0)],
    [user('d', -1)],
    [user('d', 1.5)],
    [user('d', 2 ** 53)],
    [{ ...user('d'), hits: 3 }],
    [{ ...user('d'), hits: -3 }],
    [{ ...user('d'), unknown: 3 }],
    [{ domain: 'doors', descriptors: [] }],
    [{ domain: 'doors', descriptors: [{ entries: [] }] }],
    [{ domain: 'doors', descriptors: [{ entries: [{ key: '', value: '' }] }] }],
    [{ domain: 'doors', descriptors: [{ entries: [{ key: 'k' }] }] }],
    [{ domain: 'doors', descriptors: [{ entries: Array.from({ length: 65 }, () => ({ key: 'k', value: '' })) }] }],
    [{ domain: '', api_key: 'k' }],
    [{ domain: 'x', api_key: '' }],
    [{ domain: 'x', api_key: 'k' }],
  ])('%j', async (body) => {
    const schema = document.paths?.['/v1/check']?.post?.requestBody?.content?.['application/json']?.schema;
    const isValid = api.schemaOf(schema).safeParse(body).success;
    const { status } = await postJson(`${server.http}/v1/check`, body);
    expect(status).toBe(isValid ? 200 : 400);
  });
});

describe('/docs', () => {
  /** What the page loads, as addresses on this server. */
  async function assets(): Promise<{ html: string; urls: URL[] }> {
    const page = new URL(`${server.http}/docs/`);
    const html = (await http1(page.href)).text;
    const urls = [...html.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, target]) => new URL(target ?? '', page));
    return { html, urls };
  }

  test.each(['/docs', '/docs/'])('%s is a page', async (path) => {
    const { status, headers, text } = await http1(server.http + path);
    expect(status).toBe(200);
    expect(headers['content-type']).toMatch(/^text\/html/);
    expect(text).toContain('<div id="swagger-ui">');
  });

  test('loads nothing from another host, and everything that it loads is there', async () => {
    const { html, urls } = await assets();
    expect(html).not.toMatch(/https?:\/\//);
    expect(urls.length).toBeGreaterThan(4);
    for (const url of urls) {
      expect(url.host).toBe(new URL(server.http).host);
      expect({ url: url.pathname, status: (await http1(url.href)).status }).toMatchObject({ status: 200 });
    }
  });

  test('shows the document of this service, and asks no validator elsewhere', async () => {
    const { text } = await http1(`${server.http}/docs/static/swagger-initializer.js`);
    expect(text).toMatch(/validatorUrl: null/);
    expect(text).toContain("url: resolveUrl('./json')");
    expect(JSON.parse((await http1(`${server.http}/docs/json`)).text)).toEqual(document);
  });

  test('has styles that load nothing from elsewhere', async () => {
    const { urls } = await assets();
    const styles = urls.filter(({ pathname }) => pathname.endsWith('.css'));
    expect(styles.length).toBeGreaterThan(0);
    for (const url of styles) {
      const loaded = [...(await http1(url.href)).text.matchAll(/@import[^;]*|url\(([^)]*)\)/g)].map(
        ([, target]) => target,
      );
      expect(loaded.filter((target) => !/^["']?data:/.test(target ?? ''))).toEqual([]);
    }
  });
});
