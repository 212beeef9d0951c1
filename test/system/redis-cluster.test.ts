/** What limits hold in a Redis Cluster that lives: over all its slots, while slots move, and while a primary dies. */
import { setTimeout as after } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { RedisConnection } from '../../src/adapters/redis/connect.ts';
import { RedisStore } from '../../src/adapters/redis/redis-store.ts';
import { slotOf } from '../../src/adapters/redis/slot.ts';
import { connectWith, isReady, keyOf, PREFIX, unpack } from '../contract/redis-under-test.ts';
import { hit, isDenied, someone, usedBefore, windows } from '../contract/store-under-test.ts';
import { until } from '../support/children.ts';
import { type ClusterNode, TestCluster } from '../support/redis-cluster.ts';
import { SubjectLoad } from '../support/subject-load.ts';

const SUBJECTS = 200;
const LIMIT = 50;
const DECISIONS = 20_000;
const AT_ONCE = 200;
// Nothing is to fail for want of time on a busy machine, unless the test is about that.
const PATIENT_MILLIS = 2_000;

let cluster: TestCluster;
let connection: RedisConnection;
beforeAll(async () => {
  cluster = await TestCluster.start();
}, 60_000);
afterAll(() => cluster.stop());

beforeEach(async () => {
  for (const { client } of await cluster.primaries()) await client.flushall();
  connection = await connectWith({ topology: { type: 'cluster', nodes: cluster.endpoints } });
});
afterEach(async () => {
  await Promise.all(loads.splice(0).map(({ guard }) => guard.close()));
  connection.close();
});

const loads: SubjectLoad[] = [];
function loadOf(keyPrefix = PREFIX, timeoutMillis = PATIENT_MILLIS): SubjectLoad {
  const store = new RedisStore({ redis: connection, keyPrefix, expirationJitterMaxSeconds: 0 });
  const load = new SubjectLoad({ store, subjects: SUBJECTS, limit: LIMIT, timeoutMillis });
  loads.push(load);
  return load;
}

/** What one node holds of every subject. */
async function usedAt({ client }: ClusterNode, load: SubjectLoad, keyPrefix = PREFIX): Promise<(number | undefined)[]> {
  return Promise.all(
    load.admitted.map(async (_, index) => {
      const value = await client.getBuffer(keyOf(load.subject(index), keyPrefix)).catch(notItsOwn);
      return value === null ? undefined : unpack(value)[0]?.used;
    }),
  );
}

/** A node redirects for what it does not serve. */
function notItsOwn(error: Error): null {
  if (error.message.startsWith('MOVED')) return null;
  throw error;
}

/** What the primaries hold of every subject. */
async function used(load: SubjectLoad, keyPrefix = PREFIX): Promise<(number | undefined)[]> {
  const nodes = await Promise.all((await cluster.primaries()).map((node) => usedAt(node, load, keyPrefix)));
  return load.admitted.map((_, index) => nodes.map((each) => each[index]).find((count) => count !== undefined));
}

const EXACT = Array.from({ length: SUBJECTS }, () => LIMIT);

test('20,000 decisions at once for 200 subjects over all slots admit exactly what each limit allows', async () => {
  const load = loadOf();
  const slots = load.admitted.map((_, index) => slotOf(keyOf(load.subject(index))));
  const thirds = Object.values(Object.groupBy(slots, (slot) => Math.floor(slot / (16_384 / 3))));
  expect(new Set(slots).size).toBeGreaterThan(SUBJECTS * 0.9);
  expect(Math.min(...thirds.map((third) => third?.length ?? 0))).toBeGreaterThan(SUBJECTS / 6);
  await load.ask(DECISIONS, 1_000);
  expect(load.failed).toBe(0);
  expect(load.admitted).toEqual(EXACT);
  expect(await used(load)).toEqual(EXACT);
  expect(load.denied).toBe(DECISIONS - SUBJECTS * LIMIT);
});

test('a slot that moves with all its counters while they are charged changes no total and fails no call', async () => {
  // The braces put all of them on one slot.
  const prefix = '{moving}:';
  const load = loadOf(prefix);
  const slot = slotOf(prefix);
  const from = await cluster.ownerOf(slot);
  const to = (await cluster.primaries()).find(({ id }) => id !== from.id) as ClusterNode;
  await load.ask(SUBJECTS, AT_ONCE);
  let isMoved = false;
  let during = 0;
  const moving = cluster
    .migrate(slot, to, async () => {
      // Keys move one by one, with decisions in between.
      const before = load.decided;
      await until('decisions are given', () => load.decided > before + 20);
      during = load.decided;
    })
    .finally(() => {
      isMoved = true;
    });
  await load.askUntil(() => isMoved, 20);
  await moving;
  await load.ask(SUBJECTS * LIMIT, AT_ONCE);
  expect(during).toBeGreaterThan(SUBJECTS * 10);
  expect((await cluster.ownerOf(slot)).id).toBe(to.id);
  expect(Object.fromEntries(load.undecided)).toEqual({});
  expect(load.admitted).toEqual(EXACT);
  expect(await used(load, prefix)).toEqual(EXACT);
}, 60_000);

test('slots that move under a load over all of them change no total', async () => {
  const load = loadOf();
  const asking = load.ask(DECISIONS, AT_ONCE);
  for (let index = 0; index < SUBJECTS; index += 20) {
    const slot = slotOf(keyOf(load.subject(index)));
    const owner = await cluster.ownerOf(slot);
    await cluster.migrate(slot, (await cluster.primaries()).find(({ id }) => id !== owner.id) as ClusterNode);
  }
  await asking;
  expect(Object.fromEntries(load.undecided)).toEqual({});
  expect(load.admitted).toEqual(EXACT);
  expect(await used(load)).toEqual(EXACT);
}, 60_000);

describe('a call over several slots', () => {
  const limits = windows({ a: 5, b: 50 });

  test.each([0, 1, 2, 3, 4])('that its subject number %d denies changes no counter, byte for byte', async (full) => {
    const store = new RedisStore({ redis: connection, keyPrefix: PREFIX, expirationJitterMaxSeconds: 0 });
    const subjects = Array.from({ length: 5 }, someone);
    expect(new Set(subjects.map((subject) => slotOf(keyOf(subject)))).size).toBe(5);
    for (const [index, subject] of subjects.entries()) {
      await store.take([hit(subject, limits, { cost: index === full ? 5 : 2 })]);
    }
    const before = await cluster.dump();
    for (let tries = 0; tries < 3; tries++) {
      expect(await isDenied(store, ...subjects.map((subject) => hit(subject, limits)))).toBe(true);
    }
    expect(await cluster.dump()).toEqual(before);
  });

  test('that is denied leaves nothing of a subject that nobody had charged', async () => {
    const store = new RedisStore({ redis: connection, keyPrefix: PREFIX, expirationJitterMaxSeconds: 0 });
    const [fresh, full] = [someone(), someone()];
    expect(await isDenied(store, hit(fresh, limits), hit(full, windows({ a: 0 })))).toBe(true);
    expect(await usedBefore(store, hit(fresh, limits, { cost: 0 }))).toEqual([0, 0]);
  });

  test('among many that compete never admits more than the tightest limit, and ends with all counters alike', async () => {
    const store = new RedisStore({ redis: connection, keyPrefix: PREFIX, expirationJitterMaxSeconds: 0 });
    const subjects = Array.from({ length: 4 }, someone);
    const tight = [40, 30, 20, 25].map((max, index) => hit(subjects[index] as string, windows({ a: max })));
    const orders = [tight, tight.toReversed(), [tight[2], tight[0], tight[3], tight[1]] as typeof tight];
    const denied = await Promise.all(
      Array.from({ length: 600 }, (_, index) => isDenied(store, ...(orders[index % orders.length] as typeof tight))),
    );
    let admitted = denied.filter((over) => !over).length;
    expect(admitted).toBeLessThanOrEqual(20);
    // Those that met one another's charges for an instant may come again.
    while (!(await isDenied(store, ...tight))) admitted += 1;
    expect(admitted).toBe(20);
    const looks = subjects.map((subject) => hit(subject, windows({ a: 99 }), { cost: 0 }));
    expect(await usedBefore(store, ...looks)).toEqual([20, 20, 20, 20]);
  });
});

test.each(['', 'x:y:'])(
  'a Cluster passes for one that answers while any one of three primaries is silent, and not while two are: %j',
  async (keyPrefix) => {
    const store = new RedisStore({ redis: connection, keyPrefix, expirationJitterMaxSeconds: 0 });
    const isAnswered = () => Promise.race([store.probe().then(() => true), after(300).then(() => false)]);
    const primaries = await cluster.primaries();
    const withOneSilent: boolean[] = [];
    for (const { child } of primaries) {
      // Not for so long that the others would fail it over.
      child.kill('SIGSTOP');
      withOneSilent.push(await isAnswered());
      child.kill('SIGCONT');
    }
    const two = primaries.slice(0, 2);
    for (const { child } of two) child.kill('SIGSTOP');
    const withTwoSilent = await isAnswered();
    for (const { child } of two) child.kill('SIGCONT');
    expect([...withOneSilent, withTwoSilent]).toEqual([true, true, true, false]);
    await until('it is whole', () => cluster.isWhole());
  },
);

test('a primary that is killed costs its limits no more than the charges that its replica had not heard of', async () => {
  const timeoutMillis = 100;
  const load = loadOf(PREFIX, timeoutMillis);
  const victim = (await cluster.primaries())[0] as ClusterNode;
  const heir = await cluster.replicaOf(victim);
  const owners = await Promise.all(
    load.admitted.map((_, index) => cluster.ownerOf(slotOf(keyOf(load.subject(index))))),
  );
  const isHit = owners.map(({ id }) => id === victim.id);
  let isOver = false;
  const asking = load.askUntil(() => isOver, 20);
  await until('a quarter is used', () => load.decided > (SUBJECTS * LIMIT) / 4);
  await cluster.kill(victim);
  const lost = (await lostAt(heir, load)).map((count, index) => (isHit[index] ? count : 0));
  await until('its replica has taken over', async () => (await heir.client.role())[0] === 'master', 30_000);
  await until('everything is decided again', () => recovers(load), 30_000);
  isOver = true;
  await asking;
  await load.ask(SUBJECTS * LIMIT, 20);
  expect(isReady(connection)).toBe(true);
  // The deadline at its longest, and what a busy machine may add.
  expect(load.slowestMillis).toBeLessThan(3 * timeoutMillis + 2_000);
  expect(isHit.filter((is) => is).length).toBeGreaterThan(SUBJECTS / 6);
  const overrun = load.admitted.filter((count, index) => count > LIMIT + (lost[index] as number));
  expect(overrun).toEqual([]);
  expect((await used(load)).filter((count) => count !== LIMIT)).toEqual([]);
}, 90_000);

/** How many charges every subject was admitted for that this replica, which nobody asks yet, does not hold. */
async function lostAt(replica: ClusterNode, load: SubjectLoad): Promise<number[]> {
  await replica.client.readonly();
  const held = await usedAt(replica, load);
  return load.admitted.map((count, index) => Math.max(0, count - (held[index] ?? 0)));
}

/** A hundred decisions in a row, none of which fails. */
async function recovers(load: SubjectLoad): Promise<boolean> {
  const { failed, decided } = load;
  await until('a hundred more are asked', () => load.decided + load.failed > decided + failed + 100);
  return load.failed === failed;
}
