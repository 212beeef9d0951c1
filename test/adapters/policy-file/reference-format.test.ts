/** Files of envoyproxy/ratelimit: what it accepts is accepted and means the same, what it refuses is refused in its words. */
import { describe, expect, test } from '@jest/globals';
import { PolicyFileError } from '../../../src/adapters/policy-file/policy-file-error.ts';
import { parsePolicy } from '../../../src/adapters/policy-file/read-policy.ts';
import { thrownBy } from '../../core/build.ts';

const parse = (text: string) => parsePolicy(text, 'f.yaml');

/** A file with one descriptor, of which these are lines; the first of them is line 4. */
const descriptor = (...lines: readonly string[]) =>
  ['domain: d', 'descriptors:', '  - key: k', ...lines.map((line) => `    ${line}`)].join('\n');

const LIMIT = 'rate_limit: { unit: day, requests_per_unit: 5 }';

describe('what envoyproxy/ratelimit accepts is accepted', () => {
  test.each([
    {
      title: 'known keys at the root that mean nothing there',
      text: 'domain: d\nkey: k\nunit: day\nshadow_mode: "x"\n',
    },
    { title: 'known keys in a rate_limit', text: descriptor('rate_limit: { unit: day, shadow_mode: true, key: k }') },
    {
      title: 'known keys in an entry of replaces',
      text: descriptor('rate_limit: { unit: day, replaces: [{ name: a, unit: b }] }'),
    },
    {
      title: 'lists and maps of known keys below a key that means nothing',
      text: 'domain: d\nvalue: [{ key: k, name: { unit: 1 } }]\n',
    },
    { title: 'metadata at the root, whatever is in it', text: 'domain: d\nmetadata: [1, { anything: 1.5 }]\n' },
    { title: 'keys that stand twice', text: 'domain: x\ndomain: d\n' },
    { title: 'a second document, even one that is no YAML', text: 'domain: d\n---\n- [ {\n' },
    { title: 'what follows the end of the document', text: 'domain: d\n...\n}\n' },
    {
      title: 'a first document after directives and comments',
      text: '# c\n%YAML 1.1\n# c\n---\ndomain: d\n---\ndomain: e\n',
    },
    { title: 'a byte order mark', text: '\uFEFFdomain: d\n' },
    { title: 'lines that end as on Windows', text: 'domain: d\r\ndescriptors:\r\n  - key: k\r\n---\r\n{' },
    { title: 'nothing under rate_limit and metadata', text: descriptor('rate_limit:', 'metadata: ~') },
    {
      title: 'a name of any text',
      text: descriptor(
        'rate_limit: { unit: day, name: "grün und länger als vierundsechzig Zeichen, was ja vorkommen kann" }',
      ),
    },
  ])('$title', ({ text }) => {
    expect(parse(text).domain).toBe('d');
  });

  test('of keys that stand twice the last one counts, also against a merge key before or after it', () => {
    const text = `domain: d
descriptors:
  - &usual
    key: a
    value: 1
    value: 2
  - <<: *usual
    key: b
  - key: c
    <<: [{ value: 3 }, { value: 4, key: d }]
`;
    // A merge key counts as if its keys stood in its place, and its first map most.
    expect([...parse(text).root.children.keys()]).toEqual(['a_2', 'b_2', 'd_3']);
  });

  test('a rate_limit that stands twice, or is inherited and said again in part, is one with the keys of both', () => {
    const text = `domain: d
descriptors:
  - &usual
    key: a
    rate_limit: { unit: minute, requests_per_unit: 5, replaces: [{ name: x }] }
  - <<: *usual
    key: b
    rate_limit: { requests_per_unit: 10, replaces: [{ name: y }] }
  - key: c
    rate_limit: { requests_per_unit: 7, unit: day }
    rate_limit: { unit: hour }
  - <<: *usual
    key: d
    rate_limit:
  - <<: *usual
    key: e
    rate_limit: { unit: hour }
  - !!merge <<: *usual
    key: f
`;
    const { children } = parse(text).root;
    const told = [...children.values()].map(({ limit }) => [
      limit?.windows[0]?.max,
      limit?.windows[0]?.unit,
      limit?.replaces,
    ]);
    expect(told).toEqual([
      [5, 'minute', ['x']],
      [10, 'minute', ['y']],
      [7, 'hour', []],
      [undefined, undefined, undefined],
      [5, 'hour', ['x']],
      [5, 'minute', ['x']],
    ]);
  });

  test('metadata that stands twice has the topmost keys of both, the last of each', () => {
    const text = descriptor('metadata: { a: 1, b: { c: 1 } }', 'metadata: { b: { d: 2 }, <<: [{ e: 3 }] }', LIMIT);
    expect(parse(text).root.children.get('k')?.limit?.metadata).toEqual({ a: 1, b: { d: 2 }, e: 3 });
  });

  test('rules may be nested further than requests have entries', () => {
    const levels = 400;
    const text = Array.from(
      { length: levels },
      (_, level) => `${'  '.repeat(level)}descriptors:\n${'  '.repeat(level)}- key: k`,
    );
    let level = parse(`domain: d\n${text.join('\n')}\n`).root;
    for (let depth = 0; depth < levels; depth++) level = level.children.get('k')!;
    expect(level.children.size).toBe(0);
  });
});

describe('what envoyproxy/ratelimit refuses is refused in its words, by file, line and key', () => {
  test.each<[title: string, text: string, message: string]>([
    ['an empty file', '', 'f.yaml:1: domain: config file cannot have empty domain'],
    ['a file of comments', '# none\n', 'f.yaml:1: domain: config file cannot have empty domain'],
    ['a file that says null', '~\n', 'f.yaml:1: domain: config file cannot have empty domain'],
    ['a domain of null', 'domain: ~\n', 'f.yaml:1: domain: config file cannot have empty domain'],
    [
      'a key of null',
      'domain: d\ndescriptors:\n  - key: null\n',
      'f.yaml:3: descriptors[0].key: descriptor has empty key',
    ],
    [
      'a misspelled key',
      descriptor('ratelimit: {}'),
      "f.yaml:4: descriptors[0].ratelimit: config error, unknown key 'ratelimit'",
    ],
    [
      'an unknown key where nothing has a meaning',
      'domain: d\nkey: { unit: { bogus: 1 } }\n',
      "f.yaml:2: key.unit.bogus: config error, unknown key 'bogus'",
    ],
    ['a key that is a number', '0.25: d\n', 'f.yaml:1: config error, key is not of type string: 0.25'],
    ['a key that is a boolean', 'domain: d\nyes: 1\n', 'f.yaml:2: config error, key is not of type string: true'],
    ['a key that is null', '~: 1\n', 'f.yaml:1: config error, key is not of type string: <nil>'],
    ['a key that is a list', '? [a, 1]\n: 1\n', 'f.yaml:1: config error, key is not of type string: [a 1]'],
    [
      'a list of texts',
      'domain: d\ndescriptors:\n  - a\n',
      'f.yaml:3: descriptors[0]: config error, yaml file contains list of type other than map: a',
    ],
    [
      'a list of lists',
      'domain: d\ndescriptors: [[a, 2]]\n',
      'f.yaml:2: descriptors[0]: config error, yaml file contains list of type other than map: [a 2]',
    ],
    [
      'replaces as texts',
      descriptor('rate_limit: { unit: day, replaces: [a] }'),
      'f.yaml:4: descriptors[0].rate_limit.replaces[0]: config error, yaml file contains list of type other than map: a',
    ],
    ['a value that is a fraction', descriptor('value: 5.5'), 'f.yaml:4: descriptors[0].value: error checking config'],
    [
      'a key that is a number with an exponent',
      'domain: d\ndescriptors:\n  - key: 1e3\n',
      'f.yaml:3: descriptors[0].key: error checking config',
    ],
    ['a fraction where nothing has a meaning', 'domain: d\nunit: .5\n', 'f.yaml:2: unit: error checking config'],
    [
      'a number of requests that is a fraction',
      descriptor('rate_limit: { unit: day, requests_per_unit: 1.0 }'),
      'f.yaml:4: descriptors[0].rate_limit.requests_per_unit: error checking config',
    ],
    [
      'a number of requests in quotes',
      descriptor('rate_limit: { unit: day, requests_per_unit: "5" }'),
      'f.yaml:4: descriptors[0].rate_limit.requests_per_unit: error loading config file: yaml: cannot unmarshal !!str `5` into uint32',
    ],
    [
      'a negative number of requests',
      descriptor('rate_limit: { unit: day, requests_per_unit: -1 }'),
      'f.yaml:4: descriptors[0].rate_limit.requests_per_unit: error loading config file: yaml: cannot unmarshal !!int `-1` into uint32',
    ],
    [
      'requests above 32 bits',
      descriptor('rate_limit: { unit: day, requests_per_unit: 4294967296 }'),
      'f.yaml:4: descriptors[0].rate_limit.requests_per_unit: error loading config file: yaml: cannot unmarshal !!int `4294967296` into uint32',
    ],
    [
      'a quoted switch',
      descriptor('shadow_mode: "true"'),
      'f.yaml:4: descriptors[0].shadow_mode: error loading config file: yaml: cannot unmarshal !!str `true` into bool',
    ],
    [
      'a switch that is a number',
      descriptor('quota_mode: 1'),
      'f.yaml:4: descriptors[0].quota_mode: error loading config file: yaml: cannot unmarshal !!int `1` into bool',
    ],
    [
      'metadata that is no map',
      descriptor('metadata: [a]'),
      'f.yaml:4: descriptors[0].metadata: error loading config file: yaml: cannot unmarshal !!seq into map',
    ],
    [
      'metadata that no JSON can say',
      descriptor('metadata: { a: [.inf] }'),
      'f.yaml:4: descriptors[0].metadata: error parsing metadata: .inf is no number of JSON',
    ],
    [
      'an unknown unit',
      descriptor('rate_limit: { unit: foo }'),
      "f.yaml:4: descriptors[0].rate_limit.unit: invalid rate limit unit 'foo'",
    ],
    [
      'the unit unknown',
      descriptor('rate_limit: { unit: unknown }'),
      "f.yaml:4: descriptors[0].rate_limit.unit: invalid rate limit unit 'unknown'",
    ],
    [
      'a unit beside unlimited',
      descriptor('rate_limit: { unlimited: true, unit: day }'),
      'f.yaml:4: descriptors[0].rate_limit.unit: should not specify rate limit unit when unlimited',
    ],
    [
      'an empty name in replaces',
      descriptor('rate_limit: { unit: day, replaces: [{ name: "" }] }'),
      'should not have an empty replaces entry',
    ],
    [
      'its own name in replaces',
      descriptor('rate_limit: { unit: day, name: a, replaces: [{ name: a }] }'),
      'replaces should not contain name of same descriptor',
    ],
    [
      'share_threshold without a wildcard',
      descriptor('value: abc', 'share_threshold: true', LIMIT),
      "share_threshold can only be used with wildcard values (containing '*'), but found key 'k_abc'",
    ],
    [
      'two rules of one joined name',
      'domain: d\ndescriptors:\n  - key: k_v\n  - key: k\n    value: v\n',
      "f.yaml:4: descriptors[1].key: duplicate descriptor composite key 'd.k_v'",
    ],
    [
      'a merge of what is no map',
      descriptor('<<: [a]'),
      'f.yaml:4: error loading config file: yaml: map merge requires map or sequence of maps as the value',
    ],
    ...['a', '~', '[a]', '[{ b: 1 }, 5]', '[[{ b: 1 }]]'].map((merged): [string, string, string] => [
      `a merge of ${merged} in metadata`,
      descriptor(`metadata: { <<: ${merged} }`, LIMIT),
      'f.yaml:4: error loading config file: yaml: map merge requires map or sequence of maps as the value',
    ]),
  ])('%s', (_title, text, message) => {
    const error = thrownBy(() => parse(text));
    expect(error).toBeInstanceOf(PolicyFileError);
    expect((error as Error).message).toContain(message);
    expect((error as Error).message).toMatch(/^f\.yaml:\d+: /);
  });
});

describe("Headroom's own keys", () => {
  test.each<[title: string, text: string, message: string]>([
    ['at the root', 'domain: d\nlimits: []\n', "f.yaml:2: limits: config error, unknown key 'limits'"],
    [
      'in a rate_limit',
      descriptor('rate_limit: { unit: day, per: day }'),
      "f.yaml:4: descriptors[0].rate_limit.per: config error, unknown key 'per'",
    ],
    [
      'in a descriptor, though known at the root',
      descriptor('headers: off'),
      "f.yaml:4: descriptors[0].headers: config error, unknown key 'headers'",
    ],
    [
      'where nothing has a meaning',
      'domain: d\nvalue: { requests: 1 }\n',
      "f.yaml:2: value.requests: config error, unknown key 'requests'",
    ],
  ])('are refused at a wrong place: %s', (_title, text, message) => {
    expect(() => parse(text)).toThrow(message);
  });

  test.each<[title: string, text: string, key: string]>([
    ['headers', 'domain: d\nheaders:\n', ':2: headers'],
    ['limits', descriptor('limits:'), ':4: descriptors[0].limits'],
    ['overdraft', descriptor('limits: [{ requests: 1, per: day }]', 'overdraft: ~'), ':5: descriptors[0].overdraft'],
    ['api_keys', descriptor('api_keys: ~'), ':4: descriptors[0].api_keys'],
    ['unknown_keys', descriptor('api_keys: true', 'unknown_keys: null'), ':5: descriptors[0].unknown_keys'],
    ['inactive_keys', descriptor('api_keys: true', 'inactive_keys:'), ':5: descriptors[0].inactive_keys'],
    ['classes', descriptor('api_keys: true', 'classes: Null'), ':5: descriptors[0].classes'],
    ['requests', descriptor('limits: [{ requests:, per: day }]'), ':4: descriptors[0].limits[0].requests'],
    ['name', descriptor('limits: [{ requests: 1, per: day, name: }]'), ':4: descriptors[0].limits[0].name'],
    [
      'limits, though a merge key gives some',
      descriptor('<<: { limits: [{ requests: 1, per: day }] }', 'limits:'),
      ':5: descriptors[0].limits',
    ],
  ])('are refused with nothing behind them: %s', (_title, text, where) => {
    expect(() => parse(text)).toThrow(`f.yaml${where}: has no value: give it one, or leave the key out`);
  });

  test('have no place within them for what means nothing', () => {
    const text = descriptor('limits: [{ requests: 1, per: day, unit: day }]');
    expect(() => parse(text)).toThrow("f.yaml:4: descriptors[0].limits[0].unit: config error, unknown key 'unit'");
  });
});

test('every key of a rule reaches the compiled policy', () => {
  const text = descriptor(
    'value: v*',
    'share_threshold: true',
    'value_to_metric: on',
    'detailed_metric: yes',
    'quota_mode: y',
    'shadow_mode: true',
    'metadata: { a: [1, x, ~, 2026-07-01], b: { __proto__: 1, yes: no }, <<: { c: 0x10 } }',
    'rate_limit: { name: n, requests_per_unit: 0x10, unit: WEEK, replaces: [{ name: m }, { name: 010 }] }',
  );
  const [node] = parse(text).root.wildcards;
  expect(node).toMatchObject({ shared: true, valueInStats: true, entry: { key: 'k', value: 'v*' } });
  const { limit } = node!;
  expect(limit).toMatchObject({
    shadow: true,
    replaces: ['m', '010'],
    windows: [{ name: 'n', max: 16, unit: 'week' }],
  });
  expect(JSON.stringify(limit?.metadata)).toBe(
    '{"a":[1,"x",null,"2026-07-01"],"b":{"__proto__":1,"yes":false},"c":16}',
  );
});
