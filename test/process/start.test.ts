/** Starting: it serves, or it says in one line what an operator has to mend. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { until } from '../support/children.ts';
import { http1, postJson } from '../support/clients-http.ts';
import { freePort } from '../support/ports.ts';
import { DOCUMENTED_POLICY, TestService } from '../support/service.ts';

let folder: string;
let taken: Server;
let port: number;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'headroom-start-'));
  taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  port = (taken.address() as AddressInfo).port;
});

afterAll(() => {
  taken.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Everything written, once all of it is there, and the status. */
async function end(service: TestService): Promise<{ output: string; code: number | null }> {
  const code = await new Promise<number | null>((resolve) => service.child.once('close', resolve));
  return { output: service.output, code };
}

function serve(env: Record<string, string>): Promise<{ output: string; code: number | null }> {
  return end(TestService.run(['serve'], env));
}

function write(text: string): string {
  const file = join(folder, 'policy.yaml');
  writeFileSync(file, text);
  return file;
}

describe('a port that is in use ends it with one line:', () => {
  test.each(['PORT', 'GRPC_PORT', 'DEBUG_PORT'])('%s', async (variable) => {
    expect(await serve({ [variable]: String(port) })).toEqual({
      code: 1,
      output: `headroom: cannot listen on 127.0.0.1:${port}: the port is in use\n`,
    });
  });

  test('by another Headroom, which goes on', async () => {
    const first = await TestService.start();
    const env = { PORT: String(first.httpPort), GRPC_PORT: String(first.grpcPort) };
    const second = await serve(env);
    const answer = await postJson(`${first.http}/v1/check`, { api_key: 'csk_still_there' });
    await first.stop();
    expect(second).toEqual({
      code: 1,
      output: `headroom: cannot listen on 127.0.0.1:${first.httpPort}: the port is in use\n`,
    });
    expect(answer.status).toBe(200);
  });
});

test('an address that is not of this machine ends it with one line', async () => {
  // 192.0.2.0/24 is nobody's (RFC 5737).
  expect(await serve({ HOST: '192.0.2.1', PORT: '8080' })).toEqual({
    code: 1,
    output: 'headroom: cannot listen on 192.0.2.1:8080: this machine has no such address\n',
  });
});

describe('a policy that cannot be used ends it with one line:', () => {
  test('none is named', async () => {
    expect(await serve({ POLICY_PATH: '' })).toEqual({
      code: 1,
      output: 'headroom: POLICY_PATH: is required, or RUNTIME_ROOT: a policy file or a directory of them\n',
    });
  });

  test('there is none', async () => {
    const file = join(folder, 'nowhere.yaml');
    const { code, output } = await serve({ POLICY_PATH: file });
    expect(code).toBe(1);
    expect(output).toMatch(/^headroom: .+\n$/);
    expect(output.startsWith(`headroom: ${file}: cannot read: `)).toBe(true);
  });

  test('the folder holds none', async () => {
    const empty = mkdtempSync(join(folder, 'empty-'));
    expect(await serve({ POLICY_PATH: empty })).toEqual({
      code: 1,
      output: `headroom: ${empty}: no *.yaml file in this directory\n`,
    });
  });

  test('it is malformed', async () => {
    const file = write('domain: d\ndescriptors:\n  - key: a\n    limits:\n      - { requests: many, per: minute }\n');
    const { code, output } = await serve({ POLICY_PATH: file });
    expect(code).toBe(1);
    expect(output).toMatch(/^headroom: .+\n$/);
    expect(output.startsWith(`headroom: ${file}:5: descriptors[0].limits[0].requests: `)).toBe(true);
  });
});

describe('a variable that cannot be used ends it with one line:', () => {
  test.each<[env: Record<string, string>, line: string]>([
    [{ PORT: 'http' }, "PORT: expected a port from 0 to 65535, got 'http'"],
    [{ BACKEND_TYPE: 'redis' }, 'REDIS_URL: is required when BACKEND_TYPE is redis'],
    [{ BACKEND_TYPE: 'memcache' }, 'BACKEND_TYPE: memcache is refused: memcached is not offered'],
    [{ REDIS_AUTH: 'hush' }, 'REDIS_AUTH: stands beside REDIS_URL, which is not set'],
    [
      { USE_STATSD: 'true', USE_PROMETHEUS: 'true' },
      'USE_STATSD, USE_PROMETHEUS: Error: unable to use more than one stats sink at the same time',
    ],
    [
      { REDIS_URL: 'redis://user:hush@r:99999' },
      'REDIS_URL: expected host:port, a socket path, or redis://user:password@host:port/db',
    ],
  ])('%j', async (env, line) => {
    expect(await serve(env)).toEqual({ code: 1, output: `headroom: ${line}\n` });
  });
});

describe('otherwise', () => {
  test('it serves, by any command line that means so, and says where in one JSON line', async () => {
    for (const args of [[], ['serve']]) {
      const service = TestService.run(args);
      await until('it serves', () => service.output.includes('"serving"'));
      await service.stop();
      expect(JSON.parse(service.output.split('\n')[0] ?? '')).toEqual({
        level: 'info',
        '@timestamp': expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
        version: expect.any(String),
        httpPort: expect.any(Number),
        grpcPort: expect.any(Number),
        debugPort: expect.any(Number),
        store: 'memory',
        '@message': 'serving',
      });
    }
  });

  test('it serves the directory that the reference would, says so in text, and warns of variables without effect', async () => {
    mkdirSync(join(folder, 'root/sub/config'), { recursive: true });
    cpSync(DOCUMENTED_POLICY, join(folder, 'root/sub/config/closient.yaml'));
    const service = TestService.run(['serve'], {
      POLICY_PATH: '',
      RUNTIME_ROOT: join(folder, 'root'),
      RUNTIME_SUBDIRECTORY: 'sub',
      RUNTIME_WATCH_ROOT: 'false',
      REDIS_ULR: 'nowhere',
      LOG_FORMAT: '',
    });
    await until('it serves', () => service.output.includes('msg=serving'));
    await service.stop();
    const lines = service.output.split('\n');
    const [warning = ''] = lines;
    const serving = lines.find((line) => line.includes('msg=serving'));
    expect(warning).toMatch(
      /^time="[^"]+Z" level=warning msg="a variable has no effect" variable=REDIS_ULR reason=".*"$/,
    );
    expect(serving).toMatch(
      /^time="[^"]+Z" level=info msg=serving version=\S+ httpPort=\d+ grpcPort=\d+ debugPort=\d+ /,
    );
  });

  test('it says nothing while all is well, by default', async () => {
    const healthPort = await freePort();
    const service = TestService.run(['serve'], { LOG_LEVEL: '', PORT: String(healthPort) });
    await until('it serves', () =>
      http1(`http://127.0.0.1:${healthPort}/healthz`).then(
        () => true,
        () => false,
      ),
    );
    await service.stop();
    expect(service.output).toBe('');
  });

  test('it starts without its Redis, is live but not ready, and says why', async () => {
    const service = await TestService.start({ REDIS_URL: join(folder, 'redis.sock') });
    const live = await http1(`${service.http}/healthz`);
    const ready = await http1(`${service.http}/readyz`);
    await service.stop();
    expect(live.status).toBe(200);
    expect(ready.status).toBe(503);
    expect(JSON.parse(ready.text)).toMatchObject({ ready: false, store: expect.stringContaining('counter store') });
    expect(service.output).toContain('the connection to Redis is lost');
  });

  test('its debug port is bound to this machine unless told otherwise', async () => {
    const service = await TestService.start({ HOST: '0.0.0.0', GRPC_HOST: '0.0.0.0' });
    const { status } = await http1(`${service.debug}/metrics`);
    // Every address of 127.0.0.0/8 is this machine's, but only one of them is bound.
    const elsewhere = http1(`http://127.0.0.2:${service.debugPort}/metrics`);
    await expect(elsewhere).rejects.toThrow('ECONNREFUSED');
    expect((await http1(`http://127.0.0.2:${service.httpPort}/healthz`)).status).toBe(200);
    await service.stop();
    expect(status).toBe(200);
  });
});
