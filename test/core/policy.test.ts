import { describe, expect, test } from '@jest/globals';
import type { DescriptorDefinition } from '../../src/core/definition.ts';
import type { Descriptor } from '../../src/core/descriptor.ts';
import type { Limit } from '../../src/core/limit.ts';
import { type DomainPolicy, limitAt, match } from '../../src/core/policy.ts';
import { of, policyOf } from './build.ts';

/** A limit that tells by its max which node it stands on. */
const limits = (max: number) => ({ limits: [{ requests: max, per: 'hour' }] });

/** The limit that the last entry meets. */
function met(from: DomainPolicy, asked: Descriptor): Limit | undefined {
  const { node } = match(from, asked);
  return node && limitAt(node, asked.entries.at(-1)?.value ?? '');
}

const policy = policyOf([
  { key: 'default', ...limits(1) },
  { key: 'exact', ...limits(2), descriptors: [{ key: 'next', ...limits(3) }] },
  { key: 'exact', value: 'a', ...limits(4), descriptors: [{ key: 'other', ...limits(5) }] },
  { key: 'leads', descriptors: [{ key: 'next', value: 'v', ...limits(6) }] },
  { key: 'passes', value: 'free' },
  { key: 'passes', ...limits(7) },
  { key: 'a_b', ...limits(8) },
  { key: 'p', value: 'q_r', ...limits(9) },
]);

interface Row {
  readonly title: string;
  readonly entries: Readonly<Record<string, string>>;
  readonly max: number | undefined;
}

describe('a descriptor meets', () => {
  test.each<Row>([
    { title: 'the default for any value', entries: { default: 'x' }, max: 1 },
    { title: 'the default for an empty value', entries: { default: '' }, max: 1 },
    { title: 'the exact value before the default', entries: { exact: 'a' }, max: 4 },
    { title: 'the default where no exact value is', entries: { exact: 'b' }, max: 2 },
    { title: 'the exact value, compared with its case', entries: { exact: 'A' }, max: 2 },
    { title: 'a node further in', entries: { exact: 'b', next: 'x' }, max: 3 },
    { title: 'a node below an exact value', entries: { exact: 'a', other: 'x' }, max: 5 },
    {
      title: 'nothing where the exact value leads nowhere: there is no way back',
      entries: { exact: 'a', next: 'x' },
      max: undefined,
    },
    { title: 'a limit at the last entry, behind a node without one', entries: { leads: 'x', next: 'v' }, max: 6 },
    { title: 'nothing at a node that only leads on', entries: { leads: 'x' }, max: undefined },
    { title: 'nothing where the next value is another', entries: { leads: 'x', next: 'w' }, max: undefined },
    {
      title: 'nothing where entries remain: the limit before them does not count',
      entries: { default: 'x', more: 'y' },
      max: undefined,
    },
    { title: 'nothing at an exact value without a limit: it lets pass', entries: { passes: 'free' }, max: undefined },
    { title: 'the default beside an exact value that lets pass', entries: { passes: 'other' }, max: 7 },
    { title: 'nothing for an unknown key', entries: { unknown: 'x' }, max: undefined },
    { title: 'nothing without entries', entries: {}, max: undefined },
    { title: 'the node a_b by the entry (a, b)', entries: { a: 'b' }, max: 8 },
    { title: 'the node a_b by the entry (a_b, anything)', entries: { a_b: 'anything' }, max: 8 },
    { title: 'the node (p, q_r) by the entry (p_q, r)', entries: { p_q: 'r' }, max: 9 },
    { title: 'nothing by a name that every object inherits', entries: { constructor: 'x' }, max: undefined },
    { title: 'nothing by the order of its entries reversed', entries: { next: 'v', leads: 'x' }, max: undefined },
  ])('$title', ({ entries, max }) => {
    expect(met(policy, of(entries))?.windows[0]?.max).toBe(max);
  });
});

describe('an API key', () => {
  const keyed: DescriptorDefinition = {
    key: 'api_key',
    api_keys: true,
    ...limits(10),
    classes: [
      { name: 'narrow', prefix: 'cpk_x', ...limits(11) },
      { name: 'publishable', prefix: 'cpk_', ...limits(12) },
      { name: 'late', prefix: 'cpk_y', ...limits(13) },
    ],
    descriptors: [{ key: 'path', ...limits(14) }],
  };
  const keys = policyOf([{ key: 'route', descriptors: [keyed] }]);

  test.each([
    { title: 'without a class meets the limits of its node', value: 'csk_1', max: 10 },
    { title: 'that is empty meets the limits of its node', value: '', max: 10 },
    { title: 'meets the class of its prefix', value: 'cpk_1', max: 12 },
    { title: 'that is nothing but the prefix meets its class', value: 'cpk_', max: 12 },
    { title: 'meets the first class whose prefix fits', value: 'cpk_x1', max: 11 },
    { title: 'does not meet a later class, though it fits better', value: 'cpk_y1', max: 12 },
    { title: 'is told by its prefix, not by what it contains', value: 'csk_cpk_', max: 10 },
    { title: 'is told by its prefix with the same case', value: 'CPK_1', max: 10 },
  ])('$title', ({ value, max }) => {
    const asked = of({ route: 'r', api_key: value });
    expect(met(keys, asked)?.windows[0]?.max).toBe(max);
    expect(match(keys, asked).keyAt).toBe(1);
  });

  test('is a secret where the walk goes on or ends early, too', () => {
    const further = of({ route: 'r', api_key: 'csk_1', path: '/' });
    expect(met(keys, further)?.windows[0]?.max).toBe(14);
    expect(match(keys, further).keyAt).toBe(1);
    expect(match(keys, of({ route: 'r', api_key: 'csk_1', unknown: '/' }))).toMatchObject({
      node: undefined,
      keyAt: 1,
    });
  });
});

test('matching takes as long among 100,000 rules as among a few', () => {
  const rules = Array.from({ length: 100_000 }, (_, index) => ({ key: 'k', value: String(index), ...limits(1) }));
  const large = policyOf(rules);
  // Counted, not timed: a walk asks each level at most twice, whatever its size.
  let asked = 0;
  const children = new Map(large.root.children);
  const get = children.get.bind(children);
  children.get = (name) => {
    asked += 1;
    return get(name);
  };
  const root = { ...large.root, children };
  expect(match({ ...large, root }, of({ k: '99999' })).node).toBeDefined();
  expect(match({ ...large, root }, of({ k: 'none' })).node).toBeUndefined();
  expect(asked).toBe(3);
});
