/** The arrows between the layers: who may know whom. A new folder in src/ states its arrows here. */

import { readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { readSource } from './source-file.ts';

interface Arrows {
  /** Folders of src/ that may be imported; `own` is the folder itself. */
  readonly to: readonly string[];
  /** Folders of which only types may be imported. */
  readonly typesOf?: readonly string[];
  /** Node's modules and npm packages may be imported. */
  readonly packages: boolean;
  /** Clocks and dice may be read: anywhere, or in the one file that is named. */
  readonly chance?: true | string;
  /** Only types may be imported, and only types declared. */
  readonly typesOnly?: true;
}

/** By folder of src/; adapters one by one, since none may know another. */
const ARROWS: Readonly<Record<string, Arrows>> = {
  core: { to: ['own'], packages: false },
  ports: { to: ['own', 'core'], packages: false, typesOnly: true },
  app: { to: ['own', 'core', 'ports'], packages: false },
  'adapters/*': { to: ['own', 'core', 'ports'], packages: true, chance: true },
  observability: { to: ['own', 'core', 'ports'], packages: true },
  // A supervisor knows no more of a worker than that it can be asked and ended.
  workers: { to: ['own', 'ports'], packages: true },
  surfaces: { to: ['own', 'app', 'core', 'ports', 'gen'], packages: true },
  config: { to: ['own'], typesOf: ['adapters/*', 'app', 'core', 'observability', 'ports', 'surfaces'], packages: true },
  gen: { to: ['own'], packages: true },
  // It runs in browsers, too, and is published by itself: it knows nothing of the service, nor of Node.
  client: { to: ['own'], packages: false, chance: 'client/environment.ts' },
  cli: { to: ['own', 'client', 'config'], packages: true },
};

/** What wires everything; nothing may import it but these themselves. */
const COMPOSITION = /^(server\.ts|main\.ts|composition\/.*)$/;

/** `adapters/redis` for `adapters/redis/connect.ts`, `core` for `core/plan.ts`. */
function folderOf(file: string): string {
  const [first, second] = file.split('/');
  return first === 'adapters' ? `${first}/${second}` : (first as string);
}

function covers(folders: readonly string[], folder: string): boolean {
  return folders.some((each) => each === folder || (each.endsWith('/*') && folder.startsWith(each.slice(0, -1))));
}

function arrowsOf(folder: string): Arrows | undefined {
  return Object.entries(ARROWS).find(([name]) => covers([name], folder))?.[1];
}

/** @param file below src/ */
function violations(file: string, text: string): string[] {
  if (COMPOSITION.test(file)) return [];
  const folder = folderOf(file);
  const arrows = arrowsOf(folder);
  if (arrows === undefined) return [`${file}: no arrows are stated for ${folder}`];
  const source = readSource(text);
  const found = source.imports
    .filter(({ from, typeOnly }) => !mayImport(arrows, file, from, typeOnly))
    .map(({ from }) => `${file}: imports ${from}`);
  if (arrows.typesOnly && !source.typesOnly) found.push(`${file}: holds more than types`);
  if (arrows.chance !== true && arrows.chance !== file)
    found.push(...source.chance.map((name) => `${file}: reads ${name}`));
  return found;
}

function mayImport(arrows: Arrows, file: string, from: string, typeOnly: boolean): boolean {
  if (from === '?') return false;
  if (!from.startsWith('.')) return arrows.packages;
  const target = posix.join(posix.dirname(file), from);
  if (target.startsWith('..') || COMPOSITION.test(target)) return false;
  const folder = folderOf(target);
  if (folder === folderOf(file)) return arrows.to.includes('own');
  return covers(arrows.to, folder) || (typeOnly && covers(arrows.typesOf ?? [], folder));
}

const src = new URL('../../src/', import.meta.url);
const files = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .sort();

test('no file imports against the arrows, and none but adapters reads a clock or dice', () => {
  expect(files.length).toBeGreaterThan(30);
  expect(files.flatMap((file) => violations(file, readFileSync(new URL(file, src), 'utf8')))).toEqual([]);
});

test('every folder with arrows exists', () => {
  const folders = new Set(files.map(folderOf));
  expect(Object.keys(ARROWS).filter((name) => ![...folders].some((folder) => covers([name], folder)))).toEqual([]);
});

describe('a forbidden reach is caught', () => {
  // biome-ignore format: one case a line
  const cases = [
    { title: 'core to a port', file: 'core/plan.ts', text: "import type { Clock } from '../ports/clock.ts';" },
    { title: 'core to Node', file: 'core/plan.ts', text: "import { hash } from 'node:crypto';" },
    { title: 'core to a package', file: 'core/plan.ts', text: "import { z } from 'zod';" },
    { title: 'core to a type of a package', file: 'core/plan.ts', text: "import type { Redis } from 'ioredis';" },
    { title: 'core to a package, dynamically', file: 'core/plan.ts', text: "const z = await import('zod');" },
    { title: 'core to anything, dynamically', file: 'core/plan.ts', text: 'const z = await import(name);' },
    { title: 'core to an adapter in a type', file: 'core/plan.ts', text: "type A = import('../adapters/redis/connect.ts').RedisOptions;" },
    { title: 'core to an adapter by a re-export', file: 'core/plan.ts', text: "export * from '../adapters/redis/connect.ts';" },
    { title: 'core to an adapter by a named re-export', file: 'core/plan.ts', text: "export { connectRedis } from '../adapters/redis/connect.ts';" },
    { title: 'core to an adapter over several lines', file: 'core/plan.ts', text: "import {\n  a,\n  type B,\n} from '../adapters/redis/connect.ts';" },
    { title: 'core to a module for its effect', file: 'core/plan.ts', text: "import '../adapters/redis/connect.ts';" },
    { title: 'core to the composition', file: 'core/plan.ts', text: "import { startServer } from '../server.ts';" },
    { title: 'core out of src', file: 'core/plan.ts', text: "import { x } from '../../test/core/build.ts';" },
    { title: 'core to the clock', file: 'core/plan.ts', text: 'export const now = () => Date.now();' },
    { title: 'core to the date', file: 'core/plan.ts', text: 'export const now = () => new Date();' },
    { title: 'app to the monotonic clock', file: 'app/limiter.ts', text: 'const from = performance.now();' },
    { title: 'app to dice', file: 'app/breaker.ts', text: 'const { random } = { random: Math.random };' },
    { title: 'app to an adapter', file: 'app/limiter.ts', text: "import { MemoryStore } from '../adapters/memory/memory-store.ts';" },
    {
      title: 'a port to a value of core',
      file: 'ports/clock.ts',
      text: "import { settle } from '../core/decision.ts';",
    },
    { title: 'a port with a value', file: 'ports/clock.ts', text: 'export const clock = 1;' },
    { title: 'a port with a class', file: 'ports/clock.ts', text: 'export class Clock {}' },
    { title: 'an adapter to another', file: 'adapters/redis/a.ts', text: "import { MemoryStore } from '../memory/memory-store.ts';" },
    { title: 'an adapter to app', file: 'adapters/redis/a.ts', text: "import type { Limiter } from '../../app/limiter.ts';" },
    { title: 'an adapter to generated types', file: 'adapters/redis/a.ts', text: "import { X } from '../../gen/x_pb.ts';" },
    { title: 'observability to app', file: 'observability/metrics.ts', text: "import type { Limiter } from '../app/limiter.ts';" },
    { title: 'a surface to an adapter', file: 'surfaces/rls/a.ts', text: "import { RedisStore } from '../../adapters/redis/redis-store.ts';" },
    { title: 'a surface to observability', file: 'surfaces/rls/a.ts', text: "import { createLogger } from '../../observability/logger.ts';" },
    { title: 'the supervisor to what workers do', file: 'workers/supervisor.ts', text: "import { Limiter } from '../app/limiter.ts';" },
    { title: 'the supervisor to the clock', file: 'workers/supervisor.ts', text: 'const now = Date.now();' },
    { title: 'config to a value of an adapter', file: 'config/config.ts', text: "import { connectRedis } from '../adapters/redis/connect.ts';" },
    { title: 'the client to Node', file: 'client/pages.ts', text: "import { setTimeout } from 'node:timers/promises';" },
    { title: 'the client to a type of the service', file: 'client/pages.ts', text: "import type { Decision } from '../core/decision.ts';" },
    { title: 'the client to the clock, outside its one file', file: 'client/lane.ts', text: 'const now = Date.now();' },
    { title: 'the command line to the service', file: 'cli/keys.ts', text: "import type { Limiter } from '../app/limiter.ts';" },
    { title: 'a folder that nobody has thought of', file: 'utils/strings.ts', text: '' },
  ];
  test.each(cases)('$title', ({ file, text }) => {
    expect(violations(file, text)).toHaveLength(1);
  });
});

describe('what the arrows allow is let pass', () => {
  // biome-ignore format: one case a line
  const cases = [
    { title: 'core to itself', file: 'core/plan.ts', text: "import { match } from './policy.ts';" },
    { title: 'a port to a type of core', file: 'ports/clock.ts', text: "import type { Hit } from '../core/plan.ts';\nexport interface A {}\ntype B = Hit;" },
    { title: 'a port to one type of core, marked one by one', file: 'ports/clock.ts', text: "import { type Hit } from '../core/plan.ts';" },
    { title: 'app to a port', file: 'app/limiter.ts', text: "import type { Clock } from '../ports/clock.ts';" },
    { title: 'an adapter to its own folder, packages and the clock', file: 'adapters/redis/a.ts', text: "import { Redis } from 'ioredis';\nimport { b } from './b.ts';\nDate.now();" },
    {
      title: 'a surface to generated types',
      file: 'surfaces/rls/a.ts',
      text: "import { X } from '../../gen/x_pb.ts';",
    },
    { title: 'config to a type of an adapter', file: 'config/config.ts', text: "import type { RedisOptions } from '../adapters/redis/connect.ts';" },
    {
      title: 'a date that is given',
      file: 'core/plan.ts',
      text: 'export const at = (millis: number) => new Date(millis);',
    },
    { title: 'the client to the clock, in its one file', file: 'client/environment.ts', text: 'Date.now(); Math.random();' },
    { title: 'the command line to the client', file: 'cli/keys.ts', text: "import { iteratePages } from '../client/client.ts';" },
    { title: 'the composition to everything', file: 'server.ts', text: "import { RedisStore } from './adapters/redis/redis-store.ts';" },
  ];
  test.each(cases)('$title', ({ file, text }) => {
    expect(violations(file, text)).toEqual([]);
  });
});
