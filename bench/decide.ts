/**
 * `node bench/decide.ts`: what the decision itself costs, in this process: from a parsed request to its answer, without
 * any wire. The store that answers in a later turn does no work of its own, and is measured alone, too: the difference is
 * what a decision costs with any store that is asked over a network.
 */
import { MemoryStore } from '../src/adapters/memory/memory-store.ts';
import { keyHasher } from '../src/adapters/node-crypto/hash-api-key.ts';
import { parsePolicy } from '../src/adapters/policy-file/read-policy.ts';
import { systemClock } from '../src/adapters/system-clock/system-clock.ts';
import { Limiter } from '../src/app/limiter.ts';
import { StoreGuard } from '../src/app/store-guard.ts';
import type { LimitRequest } from '../src/core/descriptor.ts';
import type { Hit } from '../src/core/hit.ts';
import type { Taken } from '../src/core/verdict.ts';
import { createLogger } from '../src/observability/logger.ts';
import { storeObserver } from '../src/observability/store-observer.ts';
import { startTelemetry, type Telemetry } from '../src/observability/telemetry.ts';
import type { CounterStore } from '../src/ports/counter-store.ts';
import { DOMAIN, drawsOf, foreignKey, POLICY, SPENT_EVERY } from './workload.ts';

const USAGE = 'usage: node bench/decide.ts [rounds], from 1 to 100 (9)\n';
const ROUNDS = 9;
const ROUNDS_MAX = 100;
const KEYS = 10_000;
const DECISIONS = 100_000;
const INFLIGHT = 64;
/** Rounds that are not told: compilers settle, and every spent key is asked for once. */
const WARMUP_ROUNDS = 3;
const HEADERS = 7;
const HEADERS_DENIED = 10;

interface Case {
  readonly title: string;
  /** One call. @returns whether it was allowed; undefined where nothing is decided */
  readonly ask: (request: LimitRequest) => Promise<boolean | undefined>;
  /** Per call, one for each round. */
  readonly micros: number[];
}

/** Answers everything that it was asked in one turn in the next one, as one read of a socket does. */
class LaterStore implements CounterStore {
  #asked: { readonly hits: readonly Hit[]; readonly resolve: (taken: Taken) => void }[] = [];

  take(hits: readonly Hit[]): Promise<Taken> {
    return new Promise((resolve) => {
      if (this.#asked.length === 0) setImmediate(() => this.#answer());
      this.#asked.push({ hits, resolve });
    });
  }

  forget(): Promise<void> {
    return Promise.resolve();
  }

  probe(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #answer(): void {
    const asked = this.#asked;
    this.#asked = [];
    for (const { hits, resolve } of asked) resolve({ nowSeconds: NOW, found: hits.map(foundFor) });
  }
}

// Some second before the end of a minute: what has been used is constant, and so is the time.
const NOW = 1_800_000_048;

function foundFor({ windows }: Hit) {
  const counts: number[] = [];
  for (const { seconds } of windows) counts.push(NOW - (NOW % seconds), 1);
  return { standing: undefined, windows, counts };
}

async function main(args: readonly string[]): Promise<void> {
  const rounds = Number(args[0] ?? ROUNDS);
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > ROUNDS_MAX) throw new Error(USAGE);
  const log = createLogger({ level: 'error', format: 'json' });
  const telemetry = await startTelemetry({ env: {}, version: '0', log, countersIn: 'memory' });
  const memory = new MemoryStore({ clock: systemClock, subjectsMax: 1_000_000 });
  const later = new LaterStore();
  const hit = await someHit(later, telemetry);
  const cases: Case[] = [
    { title: 'counters in memory', ask: deciding(memory, telemetry), micros: [] },
    { title: 'a store that answers later', ask: deciding(later, telemetry), micros: [] },
    { title: 'the same store alone', ask: () => later.take(hit).then(() => undefined), micros: [] },
    { title: 'a hash of the key alone', ask: hashing, micros: [] },
  ];
  // The order turns, so that no case always follows the same one.
  for (let round = -WARMUP_ROUNDS; round < rounds; round++) {
    for (const each of round % 2 === 0 ? cases : cases.toReversed()) {
      const micros = await measure(each, round + WARMUP_ROUNDS + 1);
      if (round >= 0) each.micros.push(micros);
    }
  }
  for (const each of cases) print(each);
  await telemetry.shutdown();
}

/** What a decision asks of the store, whatever the key. */
async function someHit(store: CounterStore, telemetry: Telemetry): Promise<readonly Hit[]> {
  let asked: readonly Hit[] = [];
  const take = (hits: readonly Hit[]): Promise<Taken> => {
    asked = hits;
    return store.take(hits);
  };
  const spy = limiterOf({ take }, telemetry);
  await spy.decide(requestFor(1), { door: 'rls' });
  return asked;
}

/** Work that no change of this code makes cheaper: what the machine gives at the moment. */
function hashing({ descriptors }: LimitRequest): Promise<undefined> {
  HASHER.hash(descriptors[0]?.entries[0]?.value ?? '');
  return Promise.resolve(undefined);
}

const HASHER = keyHasher({ secret: undefined, previousSecret: undefined });

function deciding(store: CounterStore, telemetry: Telemetry): Case['ask'] {
  const { metrics } = telemetry;
  const observer = storeObserver(metrics, createLogger({ level: 'error', format: 'json' }));
  const guard = new StoreGuard({ store, clock: systemClock, timeoutMillis: 250, observer });
  const limiter = limiterOf(guard, telemetry);
  return async (request) => {
    const { decision, answer } = await limiter.decide(request, { door: 'rls' });
    if (answer.headers.length !== (decision.allowed ? HEADERS : HEADERS_DENIED)) throw new Error('headers are missing');
    return decision.allowed;
  };
}

function limiterOf(store: Pick<StoreGuard, 'take'>, { metrics }: Telemetry): Limiter {
  const policies = new Map([[DOMAIN, parsePolicy(POLICY, 'bench')]]);
  const parts = { store, clock: systemClock, observer: metrics, hasher: HASHER };
  return new Limiter({ ...parts, policies: { current: () => policies } });
}

/** As a codec makes it: the same text may come again, but never the same object. */
function requestFor(index: number): LimitRequest {
  const entries = [{ key: 'api_key', value: KEY_TEXTS[index] as string }];
  const descriptor = { entries, hitsAddend: undefined, isNegativeHits: false, override: undefined };
  return { domain: DOMAIN, descriptors: [descriptor], hitsAddend: 0 };
}

const KEY_TEXTS = Array.from({ length: KEYS }, (_, index) => foreignKey(index));

/** @returns microseconds of CPU per call, of all threads */
async function measure({ title, ask }: Case, seed: number): Promise<number> {
  const draw = drawsOf(KEYS, seed);
  let left = DECISIONS;
  let denied = 0;
  const caller = async (): Promise<void> => {
    while (left-- > 0) if ((await ask(requestFor(draw()))) === false) denied += 1;
  };
  const before = process.cpuUsage();
  await Promise.all(Array.from({ length: INFLIGHT }, caller));
  const { user, system } = process.cpuUsage(before);
  if (denied > (1.1 * DECISIONS) / SPENT_EVERY) throw new Error(`${title}: ${denied} of ${DECISIONS} were denied`);
  return (user + system) / DECISIONS;
}

function print({ title, micros }: Case): void {
  const sorted = micros.toSorted((a, b) => a - b);
  const median = (sorted[sorted.length >> 1] as number).toFixed(2);
  const range = `${sorted[0]?.toFixed(2)} to ${sorted.at(-1)?.toFixed(2)}`;
  process.stdout.write(`${title.padStart(28)}  ${median.padStart(6)} µs of CPU a call (${range})\n`);
}

await main(process.argv.slice(2));
