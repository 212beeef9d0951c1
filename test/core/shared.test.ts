import { describe, expect, test } from '@jest/globals';
import type { Descriptor } from '../../src/core/descriptor.ts';
import { of, plan, policyOf } from './build.ts';

const hour = { rate_limit: { unit: 'hour', requests_per_unit: 5 } };
const policy = policyOf([
  { key: 'f', value: 'a*', share_threshold: true, ...hour },
  { key: 'f', value: 'b*', ...hour },
  { key: 'r', value: 'api/*', share_threshold: true, descriptors: [{ key: 'm', ...hour }] },
]);

function subject(asked: Descriptor): string {
  return plan(policy, [asked]).hits[0]?.subject as string;
}

describe('share_threshold', () => {
  test('counts all values that meet the pattern as one', () => {
    expect(subject(of({ f: 'a1' }))).toBe(subject(of({ f: 'a2' })));
    expect(subject(of({ f: 'b1' }))).not.toBe(subject(of({ f: 'b2' })));
  });

  test('holds for the entry of the pattern, not for those below', () => {
    expect(subject(of({ r: 'api/1', m: 'GET' }))).toBe(subject(of({ r: 'api/2', m: 'GET' })));
    expect(subject(of({ r: 'api/1', m: 'GET' }))).not.toBe(subject(of({ r: 'api/1', m: 'PUT' })));
  });

  test('counts the text of the pattern itself among its values', () => {
    expect(subject(of({ f: 'a*' }))).toBe(subject(of({ f: 'a1' })));
  });

  test('never makes a value that looks like a pattern share the counter of one', () => {
    const other = policyOf([{ key: 'f', ...hour }]);
    expect(plan(other, [of({ f: 'a*' })]).hits[0]?.subject).not.toBe(subject(of({ f: 'a1' })));
  });

  test('does nothing to a limit that the request brings', () => {
    const override = { requestsPerUnit: 1, unit: 'hour' } as const;
    expect(subject(of({ f: 'a1' }, { override }))).not.toBe(subject(of({ f: 'a2' }, { override })));
  });
});
