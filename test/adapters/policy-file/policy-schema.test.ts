/** The published JSON Schema, which editors check files with, against what the service accepts. */

import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { parsePolicy } from '../../../src/adapters/policy-file/read-policy.ts';
import { isValid, type Schema } from './json-schema.ts';

const root = new URL('../../../', import.meta.url);
const schema = JSON.parse(readFileSync(new URL('docs/policy.schema.json', root), 'utf8')) as Schema;

/** A file with one descriptor, of which these are lines. */
const descriptor = (...lines: readonly string[]) =>
  ['domain: d', 'descriptors:', '  - key: k', ...lines.map((line) => `    ${line}`)].join('\n');

const good: Readonly<Record<string, string>> = {
  'the documented policy': readFileSync(new URL('examples/closient.yaml', root), 'utf8'),
  'a domain alone': 'domain: d',
  'no descriptors': 'domain: d\ndescriptors: []',
  'every style of headers': 'domain: d\nheaders: ietf',
  'a descriptor without limits': descriptor(),
  'windows of all kinds': descriptor(
    'limits:',
    '  - { requests: 0, per: second }',
    '  - { requests: 4294967295, per: 90s, name: "a \\"b\\"" }',
  ),
  'classes, overdraft and shadow mode': descriptor(
    'api_keys: true',
    'overdraft: true',
    'shadow_mode: false',
    'limits: [{ requests: 1, per: day }]',
    'classes: [{ name: c, prefix: c_, limits: [{ requests: 1, per: day }] }]',
  ),
  'a rate_limit': descriptor('value: v', 'rate_limit: { unit: day, requests_per_unit: 5, name: n }'),
  'every key of envoyproxy/ratelimit': descriptor(
    'value: v*',
    'shadow_mode: true',
    'quota_mode: true',
    'detailed_metric: true',
    'value_to_metric: true',
    'share_threshold: true',
    'metadata: { a: [1, 2.5, text, { b: null }] }',
    'rate_limit: { unit: day, requests_per_unit: 0, name: grün, replaces: [{ name: a }] }',
  ),
  'no unit beside unlimited': descriptor('rate_limit: { unlimited: true }'),
  nesting: descriptor(
    'descriptors:',
    '  - key: n',
    '    descriptors:',
    '      - { key: m, rate_limit: { unit: day } }',
  ),
};

const bad: Readonly<Record<string, string>> = {
  'an unknown key at the root': 'domain: d\nlimit: 5',
  'an unknown style of headers': 'domain: d\nheaders: draft',
  'descriptors that are no list': 'domain: d\ndescriptors: {}',
  'a descriptor that is no map': 'domain: d\ndescriptors: [k]',
  'no domain': 'descriptors: []',
  'a descriptor without a key': 'domain: d\ndescriptors: [{ value: v }]',
  'an unknown key in a descriptor': descriptor('ratelimit: {}'),
  'an unknown key further in': descriptor('descriptors: [{ key: n, vaule: v }]'),
  'a window without requests': descriptor('limits: [{ per: day }]'),
  'a window without its length': descriptor('limits: [{ requests: 1 }]'),
  'a negative number': descriptor('limits: [{ requests: -1, per: day }]'),
  'a number above 32 bits': descriptor('limits: [{ requests: 4294967296, per: day }]'),
  'a fraction': descriptor('limits: [{ requests: 1.5, per: day }]'),
  'a quoted number': descriptor('limits: [{ requests: "1", per: day }]'),
  'a name beyond ASCII': descriptor('limits: [{ requests: 1, per: day, name: grün }]'),
  'an empty name': descriptor('limits: [{ requests: 1, per: day, name: "" }]'),
  'no windows': descriptor('limits: []'),
  'too many windows': descriptor(
    `limits: [${Array.from({ length: 17 }, (_, n) => `{ requests: 1, per: ${n + 1}s }`)}]`,
  ),
  'a switch that is text': descriptor('shadow_mode: "true"'),
  'a class without limits': descriptor(
    'api_keys: true',
    'limits: [{ requests: 1, per: day }]',
    'classes: [{ name: c, prefix: c_ }]',
  ),
  'a class without a name': descriptor(
    'api_keys: true',
    'limits: [{ requests: 1, per: day }]',
    'classes: [{ name: "", prefix: c_, limits: [{ requests: 1, per: day }] }]',
  ),
  'metadata that is no map': descriptor('metadata: [a]'),
  'replaces of texts': descriptor('rate_limit: { unit: day, replaces: [a] }'),
  'unlimited as text': descriptor('rate_limit: { unlimited: "yes" }'),
  'a negative rate_limit': descriptor('rate_limit: { unit: day, requests_per_unit: -1 }'),
};

describe('the published JSON Schema', () => {
  test('flags a known key at a place where it means nothing, which files may hold all the same', () => {
    expect(isValid(schema, parse('domain: d\nunit: day'))).toBe(false);
    expect(() => parsePolicy('domain: d\nunit: day', 'f.yaml')).not.toThrow();
  });

  test.each(Object.entries(good))('accepts what is accepted: %s', (_, text) => {
    expect(isValid(schema, parse(text))).toBe(true);
    expect(() => parsePolicy(text, 'f.yaml')).not.toThrow();
  });

  test.each(Object.entries(bad))('refuses what is refused: %s', (_, text) => {
    expect(isValid(schema, parse(text))).toBe(false);
    expect(() => parsePolicy(text, 'f.yaml')).toThrow();
  });
});
