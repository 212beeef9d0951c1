import { describe, expect, test } from '@jest/globals';
import { settle } from '../../src/core/decision.ts';
import type { Descriptor } from '../../src/core/descriptor.ts';
import { dynamicMetadata } from '../../src/core/dynamic-metadata.ts';
import { hasherForTest, of, plan, policyOf, request, taken } from './build.ts';
import { keyOf } from './key-build.ts';

const hour = { rate_limit: { unit: 'hour', requests_per_unit: 5 } };
const policy = policyOf([
  { key: 'a', ...hour, metadata: { tag: 'a', deep: { one: 1, both: 'a' }, list: [1] } },
  { key: 'b', ...hour, metadata: { tag: 'b', deep: { two: 2, both: 'b' }, list: [2] } },
  { key: 'c', ...hour },
  { key: 'api_key', api_keys: true, limits: [{ requests: 1, per: 'hour' }] },
]);

/** @param used of each descriptor's window */
function told(descriptors: Descriptor[], used: number[], hitsAddend = 0) {
  const planned = plan(policy, descriptors);
  const decision = settle(planned, taken(planned, used));
  return dynamicMetadata(request(descriptors, { hitsAddend }), policy, decision, hasherForTest);
}

describe('dynamic metadata', () => {
  test('echoes the request', () => {
    const override = { requestsPerUnit: 7, unit: 'week' } as const;
    expect(told([of({ c: 'x', y: 'z' }, { hitsAddend: 0, override }), of({ n: '' })], [0], 3)).toEqual({
      domain: 'd',
      descriptors: [
        { entries: ['c=x', 'y=z'], limit: 'requests_per_unit:7 unit:WEEK', hitsAddend: 0 },
        { entries: ['n='] },
      ],
      hitsAddend: 3,
    });
  });

  test('joins what the limits say, the first in the request before the others', () => {
    expect(told([of({ a: '1' }), of({ b: '1' })], [0, 0]).metadata).toEqual({
      tag: 'a',
      deep: { one: 1, both: 'a', two: 2 },
      list: [1],
    });
  });

  test('leaves out what a limit says that is exceeded', () => {
    expect(told([of({ a: '1' }), of({ b: '1' })], [5, 0]).metadata).toEqual({
      tag: 'b',
      deep: { two: 2, both: 'b' },
      list: [2],
    });
  });

  test("leaves out a rule's where the request brings a limit of its own", () => {
    const override = { requestsPerUnit: 7, unit: 'week' } as const;
    expect(told([of({ a: '1' }, { override })], [0])).not.toHaveProperty('metadata');
  });

  test('never writes into the policy: a later answer holds nothing of an earlier one', () => {
    told([of({ a: '1' }), of({ b: '1' })], [0, 0]);
    expect(told([of({ a: '1' })], [0]).metadata).toEqual({ tag: 'a', deep: { one: 1, both: 'a' }, list: [1] });
  });

  test('has the id of an API key in place of the key', () => {
    const { key, id } = keyOf('one');
    const asked = [of({ api_key: key })];
    const planned = plan(policy, asked);
    const found = [{ standing: 'active' as const, windows: planned.hits[0]?.windows ?? [], counts: [0, 0] }];
    const text = JSON.stringify(
      dynamicMetadata(request(asked), policy, settle(planned, { nowSeconds: 1, found }), hasherForTest),
    );
    expect(text).toContain(`api_key=${id}`);
    expect(text).not.toContain(key.slice(0, 20));
  });

  test('has no key in clear where the policy expects none, nor in an unknown domain', () => {
    const { key, id } = keyOf('one');
    const asked = request([of({ path: '/x', api_key: key }), of({ authorization: `Bearer ${key}` })]);
    for (const known of [policy, undefined]) {
      const nothing = settle(plan(undefined, asked.descriptors), { nowSeconds: 1, found: [] });
      expect(dynamicMetadata(asked, known, nothing, hasherForTest).descriptors).toEqual([
        { entries: ['path=/x', `api_key=${id}`] },
        { entries: ['authorization=Bearer csk_…'] },
      ]);
    }
  });
});
