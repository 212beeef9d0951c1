import { describe, expect, test } from '@jest/globals';
import { parsePolicy } from '../../../src/adapters/policy-file/read-policy.ts';

function nodesOf(text: string) {
  return parsePolicy(text, 'f.yaml').root.children;
}

describe('a scalar is read as YAML 1.1 reads it, but text stays as it is written', () => {
  test.each([
    { written: '010', node: 'k_010' },
    { written: '10', node: 'k_10' },
    { written: '0x1F', node: 'k_0x1F' },
    { written: '1_000', node: 'k_1_000' },
    { written: 'yes', node: 'k_yes' },
    { written: 'On', node: 'k_On' },
    { written: 'true', node: 'k_true' },
    { written: '"null"', node: 'k_null' },
    { written: "'~'", node: 'k_~' },
    { written: '2026-07-01T10:00:00Z', node: 'k_2026-07-01T10:00:00Z' },
    { written: '+12', node: 'k_+12' },
    { written: '1.2.3', node: 'k_1.2.3' },
    { written: '!!str 1.5', node: 'k_1.5' },
    { written: '2026-07-01', node: 'k_2026-07-01' },
    { written: '12:30:45', node: 'k_12:30:45' },
    { written: '"010"', node: 'k_010' },
    { written: "'yes'", node: 'k_yes' },
    { written: '"a\\tb"', node: 'k_a\tb' },
    { written: '!!str 010', node: 'k_010' },
  ])('value: $written', ({ written, node }) => {
    expect([...nodesOf(`domain: d\ndescriptors:\n  - key: k\n    value: ${written}\n`).keys()]).toEqual([node]);
  });

  test.each([
    { title: 'nothing', written: '' },
    { title: 'an empty text', written: '""' },
    { title: 'null', written: 'null' },
    { title: 'a tilde', written: '~' },
  ])('a value of $title is no value, as in envoyproxy/ratelimit', ({ written }) => {
    expect([...nodesOf(`domain: d\ndescriptors:\n  - key: k\n    value: ${written}\n`).keys()]).toEqual(['k']);
  });

  test('keys, domains, names and lengths are text, too', () => {
    const text = `domain: 010
descriptors:
  - key: 0x1e3
    limits: [{ requests: 1, per: day, name: 007 }]
  - key: no
    api_keys: yes
    limits: [{ requests: 1, per: day }]
    classes: [{ name: 2, prefix: 0b1, limits: [{ requests: 1, per: day }] }]
`;
    const policy = parsePolicy(text, 'f.yaml');
    expect(policy.domain).toBe('010');
    expect(policy.root.children.get('0x1e3')?.limit?.windows[0]?.name).toBe('007');
    expect(policy.root.children.get('no')?.keys?.classes).toMatchObject([
      { of: { prefix: '0b1' }, limit: { policy: 'no.2' } },
    ]);
  });

  test.each([
    { written: 'on', shadow: true },
    { written: 'Yes', shadow: true },
    { written: 'y', shadow: true },
    { written: 'TRUE', shadow: true },
    { written: 'off', shadow: false },
    { written: 'no', shadow: false },
    { written: 'N', shadow: false },
    { written: 'false', shadow: false },
  ])('shadow_mode: $written', ({ written, shadow }) => {
    const nodes = nodesOf(
      `domain: d\ndescriptors:\n  - key: k\n    shadow_mode: ${written}\n    rate_limit: { unit: day }\n`,
    );
    expect(nodes.get('k')?.limit?.shadow).toBe(shadow);
  });

  test.each([
    { written: '10', max: 10 },
    { written: '010', max: 8 },
    { written: '0x10', max: 16 },
    { written: '0b101', max: 5 },
    { written: '1_000', max: 1_000 },
    { written: '+5', max: 5 },
    { written: '4294967295', max: 4_294_967_295 },
  ])('requests: $written', ({ written, max }) => {
    const nodes = nodesOf(`domain: d\ndescriptors:\n  - key: k\n    limits: [{ requests: ${written}, per: day }]\n`);
    expect(nodes.get('k')?.limit?.windows[0]?.max).toBe(max);
  });
});

describe('anchors and merge keys', () => {
  test('a list of windows may be written once', () => {
    const nodes = nodesOf(`domain: d
descriptors:
  - key: a
    limits: &usual [{ requests: 5, per: minute }, { requests: 50, per: day }]
  - key: b
    limits: *usual
`);
    expect(nodes.get('b')?.limit?.windows).toEqual(nodes.get('a')?.limit?.windows);
    expect(nodes.get('b')?.limit?.policy).toBe('b');
  });

  test('a descriptor may merge another, and say otherwise in part', () => {
    const nodes = nodesOf(`domain: d
descriptors:
  - &usual
    key: a
    value: 010
    shadow_mode: on
    rate_limit: { unit: hour, requests_per_unit: 5 }
  - <<: *usual
    value: 020
  - <<: [*usual]
    key: b
    shadow_mode: off
`);
    expect([...nodes.keys()]).toEqual(['a_010', 'a_020', 'b_010']);
    expect(nodes.get('a_020')?.limit).toMatchObject({ shadow: true, windows: [{ max: 5, seconds: 3_600 }] });
    expect(nodes.get('b_010')?.limit).toMatchObject({ shadow: false, windows: [{ max: 5, seconds: 3_600 }] });
  });

  test('a text may be an alias of a text', () => {
    const nodes = nodesOf(`domain: d
descriptors:
  - key: a
    value: &ten 010
  - key: b
    value: *ten
`);
    expect([...nodes.keys()]).toEqual(['a_010', 'b_010']);
  });
});

describe('a file of envoyproxy/ratelimit', () => {
  test('with nothing under descriptors is a domain without limits', () => {
    expect(nodesOf('domain: d\ndescriptors:\n').size).toBe(0);
  });

  test('with nothing under rate_limit lets that descriptor pass', () => {
    const nodes = nodesOf('domain: d\ndescriptors:\n  - key: k\n    rate_limit:\n');
    expect(nodes.get('k')?.limit).toBeUndefined();
  });

  test('keeps its meaning: nesting, values, units in any case, shadow mode, the limit of 0', () => {
    const policy = parsePolicy(
      `---
# the example of its README, in short
domain: mongo_cps
descriptors:
  - key: database
    value: users
    rate_limit: { unit: SECOND, requests_per_unit: 500 }
  - key: database
    rate_limit: { unit: Minute }
    shadow_mode: true
    descriptors:
      - key: table
        rate_limit: { unit: week, requests_per_unit: 7, name: weekly }
`,
      'f.yaml',
    );
    expect(policy.headerStyle).toBe('reference');
    expect(policy.root.children.get('database_users')?.limit?.windows).toMatchObject([
      { max: 500, seconds: 1, unit: 'second' },
    ]);
    const database = policy.root.children.get('database');
    expect(database?.limit).toMatchObject({ charging: 'each', shadow: true, windows: [{ max: 0, unit: 'minute' }] });
    expect(database?.children.get('table')?.limit).toMatchObject({
      shadow: false,
      windows: [{ max: 7, name: 'weekly' }],
    });
  });
});
