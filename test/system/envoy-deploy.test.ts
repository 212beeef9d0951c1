/** What is shipped to try Headroom behind Envoy: the demo, and the files for containers, as far as they can be checked without. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { envoyBinary } from '../../deploy/envoy/local-config.ts';
import { startChild, until } from '../support/children.ts';
import { Callers, linesOf } from '../support/envoy-client.ts';
import { freePort } from '../support/ports.ts';
import { ROOT } from '../support/service.ts';

test('the demo says how to call Envoy, answers that call, and leaves nothing behind when it is told to stop', async () => {
  const port = await freePort();
  const demo = startDemo(port);
  await until('the demo invites to call', () => demo.output().includes('Ctrl-C'), 30_000);
  expect(demo.output()).toContain(`curl -i localhost:${port}/ -H 'x-api-key: csk_demo'`);
  const callers = new Callers(port);
  const reply = await callers.ask('csk_demo');
  callers.close();
  expect(reply.status).toBe(200);
  expect(linesOf(reply, 'RateLimit-Remaining')).toEqual(['299']);
  const children = childrenOf(demo.pid);
  expect(children).toHaveLength(4);
  demo.kill();
  expect(await demo.exitCode).toBe(0);
  expect(children.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([]);
}, 60_000);

test('the demo says which port it cannot have, and what to do', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as AddressInfo;
  const demo = startDemo(port);
  expect(await demo.exitCode).toBe(1);
  other.close();
  expect(demo.output()).toBe(`demo: port ${port} is in use: free it, or set DEMO_PORT to another one\n`);
}, 60_000);

test('Envoy accepts the configuration file as it is', () => {
  const { status, stderr } = spawnSync(
    envoyBinary(),
    ['--mode', 'validate', '--log-level', 'error', '-c', `${ROOT}deploy/envoy/envoy.yaml`],
    { encoding: 'utf8' },
  );
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
}, 60_000);

test('Compose runs the version of Envoy that the tests run', () => {
  const version = /^ENVOY_VERSION := (.+)$/m.exec(read('Makefile'))?.[1];
  const compose = parse(read('deploy/compose.yaml')) as { services: { envoy: { image: string } } };
  expect(compose.services.envoy.image).toBe(`envoyproxy/envoy:v${version}`);
  expect(envoyBinary()).toContain(`envoy-${version}/`);
});

test('whatever the image is built from is let into its build', () => {
  const copies = read('deploy/Dockerfile').matchAll(/^COPY (?!--from)(.+) \S+$/gm);
  const sources = [...copies].flatMap(([, names]) => names!.split(' '));
  const letIn = read('.dockerignore')
    .split('\n')
    .filter((line) => line.startsWith('!'))
    .map((line) => line.slice(1));
  expect([...new Set(sources)].sort()).toEqual(letIn.sort());
  expect(letIn.filter((name) => !existsSync(`${ROOT}${name}`))).toEqual([]);
});

function startDemo(port: number) {
  const child = startChild(process.execPath, [`${ROOT}scripts/demo.ts`], {
    env: { PATH: process.env.PATH, DEMO_PORT: String(port) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  return {
    pid: child.pid as number,
    output: () => output,
    kill: () => child.kill('SIGTERM'),
    exitCode: new Promise((resolve) => child.once('close', resolve)),
  };
}

function childrenOf(pid: number): string[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
}

function read(path: string): string {
  return readFileSync(`${ROOT}${path}`, 'utf8');
}
