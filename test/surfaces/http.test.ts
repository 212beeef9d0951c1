/** The HTTP port beside its decisions: health as every kind of prober asks for it. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { http1 } from '../support/clients-http.ts';
import { type InProcess, startInProcess } from '../support/in-process.ts';

const POLICIES = ['b', 'a'].map((domain) => `domain: ${domain}\n`);

let server: InProcess;

beforeAll(async () => {
  server = await startInProcess(POLICIES);
});

afterAll(() => server.stop());

describe('a server that wants calls', () => {
  test.each([
    ['/healthcheck', 'OK'],
    ['/healthz', 'ok'],
  ])('answers %s with %s', async (path, text) => {
    const answer = await http1(server.http + path);
    expect(answer).toMatchObject({ status: 200, text });
    expect(answer.headers['content-type']).toMatch(/^text\/plain/);
  });

  test.each(['/healthcheck', '/healthz', '/readyz'])('answers HEAD %s without a body', async (path) => {
    expect(await http1(server.http + path, { method: 'HEAD' })).toMatchObject({ status: 200, text: '' });
  });

  test('answers /readyz with the store and the policies, in order', async () => {
    const { status, text } = await http1(`${server.http}/readyz`);
    expect(status).toBe(200);
    expect(JSON.parse(text)).toEqual({ ready: true, store: 'ok', domains: ['a', 'b'], draining: false });
  });
});

describe('a server that was asked to stop', () => {
  test('says so while it still takes calls, and takes none afterwards', async () => {
    const leaving = await startInProcess(POLICIES, { DRAIN_DELAY: '2s' });
    const stopped = leaving.stop();
    const paths = ['/healthcheck', '/healthz', '/readyz'];
    const [health, live, ready] = await Promise.all(paths.map((path) => http1(leaving.http + path)));
    await stopped;
    expect(health).toMatchObject({ status: 500, text: '' });
    expect(live).toMatchObject({ status: 200, text: 'ok' });
    expect(ready?.status).toBe(503);
    expect(JSON.parse(ready?.text ?? '')).toEqual({ ready: false, store: 'ok', domains: ['a', 'b'], draining: true });
    await expect(http1(`${leaving.http}/healthz`)).rejects.toThrow('ECONNREFUSED');
  });
});
