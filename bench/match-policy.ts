/**
 * `node bench/match-policy.ts`: what one match costs by the number of rules, by how many of them are asked for in turn,
 * and by the number of wildcards before the one that meets.
 */
import { compilePolicy } from '../src/core/compile-policy.ts';
import type { DescriptorDefinition } from '../src/core/definition.ts';
import type { Descriptor } from '../src/core/descriptor.ts';
import { type DomainPolicy, match } from '../src/core/policy.ts';

/** Rules, and how many of them requests meet in turn: beyond what a processor's caches hold, memory is what is measured. */
const COUNTS = [
  [10, 10],
  [1_000, 10],
  [100_000, 10],
  [100_000, 1_000],
  [100_000, 100_000],
] as const;
const WILDCARDS = [1, 10, 100] as const;
const REQUESTS = 100_000;
const ROUNDS = 21;

const hour = { rate_limit: { unit: 'hour', requests_per_unit: 5 } };

interface Case {
  readonly title: string;
  readonly policy: DomainPolicy;
  /** All different objects, as they come from a wire, in no order that the rules have. */
  readonly requests: readonly Descriptor[];
  readonly nanos: number[];
}

function caseOf(title: string, rules: readonly DescriptorDefinition[], named: (index: number) => string): Case {
  const requests = Array.from({ length: REQUESTS }, (_, index): Descriptor => {
    // 7,919 is prime to every count: each rule is met equally often, neighbours in the file never one after the other.
    const value = Buffer.from(named((index * 7_919) % REQUESTS)).toString();
    return { entries: [{ key: 'tenant', value }], isNegativeHits: false };
  });
  return { title, policy: compilePolicy({ domain: 'bench', descriptors: rules }), requests, nanos: [] };
}

/** @param asked how many of the rules are met, spread over the file */
function exactCase(count: number, asked: number): Case {
  const rules = Array.from({ length: count }, (_, index) => ({ key: 'tenant', value: `customer-${index}`, ...hour }));
  const step = count / asked;
  return caseOf(`${asked} of ${count} rules`, rules, (index) => `customer-${(index % asked) * step}`);
}

function wildcardCase(count: number): Case {
  const rules = Array.from({ length: count }, (_, index) => ({ key: 'tenant', value: `w${index}-*`, ...hour }));
  return caseOf(`${count} wildcards, the last one meets`, rules, (index) => `w${count - 1}-customer-${index}`);
}

function measure({ policy, requests, nanos }: Case): void {
  let met = 0;
  const startedAt = process.hrtime.bigint();
  for (const request of requests) if (match(policy, request).node !== undefined) met += 1;
  nanos.push(Number(process.hrtime.bigint() - startedAt) / requests.length);
  if (met !== requests.length) throw new Error(`${met} of ${requests.length} requests met a rule`);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] as number;
}

const cases = [...COUNTS.map(([count, asked]) => exactCase(count, asked)), ...WILDCARDS.map(wildcardCase)];
// The first rounds compile; the order turns, so that no case always follows the same one.
for (let round = 0; round < ROUNDS; round++) for (const each of round % 2 ? cases : cases.toReversed()) measure(each);
const [first] = cases as [Case];
for (const { title, nanos } of cases) {
  const ratio = median(nanos.map((each, round) => each / (first.nanos[round] as number)));
  const range = `${Math.min(...nanos).toFixed(0)} to ${Math.max(...nanos).toFixed(0)}`;
  process.stdout.write(
    `${title.padStart(36)}  ${median(nanos).toFixed(0).padStart(5)} ns a match (${range}), ${ratio.toFixed(2)} x\n`,
  );
}
