/** What docs/policy-language.md shows is what is accepted, and it shows every key. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { parsePolicy } from '../../../src/adapters/policy-file/read-policy.ts';
import { REFERENCE_KEYS } from '../../../src/adapters/policy-file/schema.ts';

const text = readFileSync(new URL('../../../docs/policy-language.md', import.meta.url), 'utf8');
const examples = [...text.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, yaml]) => yaml as string);

/** A list of descriptors is shown without the file around it. */
const whole = (yaml: string) => (yaml.startsWith('- ') ? `domain: d\ndescriptors:\n${yaml}` : yaml);

describe('every example of the policy language loads', () => {
  test.each(examples.map((yaml, index) => [index + 1, yaml]))('%i', (_index, yaml) => {
    expect(parsePolicy(whole(yaml as string), 'example.yaml').root.children.size).toBeGreaterThan(0);
  });
});

test('every key of envoyproxy/ratelimit stands in an example', () => {
  const missing = [...REFERENCE_KEYS].filter((key) => !examples.some((yaml) => new RegExp(`\\b${key}:`).test(yaml)));
  expect(missing).toEqual([]);
});
