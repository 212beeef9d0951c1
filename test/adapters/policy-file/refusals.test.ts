import { describe, expect, test } from '@jest/globals';
import { PolicyFileError } from '../../../src/adapters/policy-file/policy-file-error.ts';
import { parsePolicy } from '../../../src/adapters/policy-file/read-policy.ts';
import { thrownBy } from '../../core/build.ts';

/** A file with one descriptor, whose lines these are; the first of them is line 4. */
function descriptor(...lines: readonly string[]): string {
  return ['domain: d', 'descriptors:', '  - key: k', ...lines.map((line) => `    ${line}`)].join('\n');
}

const MINUTE = 'limits: [{ requests: 1, per: minute }]';
const CLASS = 'classes: [{ name: c, prefix: c_, limits: [{ requests: 1, per: day }] }]';
const UNITS = 'expected second, minute, hour, day, week, month, year or a duration such as 90s, 5m, 12h, 7d';

interface Row {
  readonly title: string;
  readonly text: string;
  /** What follows the file's name. */
  readonly message: string;
}

const rows: Record<string, readonly Row[]> = {
  'a file that is no YAML': [
    {
      title: 'a list that never ends',
      text: 'domain: d\ndescriptors: [\n',
      message: ':3: error loading config file: yaml: unexpected end of the stream within a flow collection',
    },
    {
      title: 'a key that is too far in',
      text: 'domain: d\n  headers: off\n',
      message: ':2: error loading config file: yaml: bad indentation of a mapping entry',
    },
    {
      title: 'a tab',
      text: 'domain: d\ndescriptors:\n\t- key: k\n',
      message: ':3: error loading config file: yaml: tab characters must not be used in indentation',
    },
    {
      title: 'an alias without its anchor',
      text: 'domain: d\ndescriptors: *rules\n',
      message: ":2: error loading config file: yaml: unknown anchor 'rules' referenced",
    },
  ],
  'a key that the format does not know': [
    { title: 'at the root', text: 'domain: d\nlimit: 5\n', message: ":2: limit: config error, unknown key 'limit'" },
    {
      title: 'in a descriptor',
      text: descriptor('ratelimit: { unit: day }'),
      message: ":4: descriptors[0].ratelimit: config error, unknown key 'ratelimit'",
    },
    {
      title: 'in a window',
      text: descriptor('limits:', '  - requests: 1', '    per: day', '    every: day'),
      message: ":7: descriptors[0].limits[0].every: config error, unknown key 'every'",
    },
    {
      title: 'in a class',
      text: descriptor(
        'api_keys: true',
        MINUTE,
        'classes:',
        '  - name: c',
        '    prefix: c_',
        '    limit: 5',
        '    limits: [{ requests: 1, per: day }]',
      ),
      message: ":9: descriptors[0].classes[0].limit: config error, unknown key 'limit'",
    },
    {
      title: 'in a nested descriptor',
      text: descriptor('descriptors:', '  - key: n', '    vaule: v'),
      message: ":6: descriptors[0].descriptors[0].vaule: config error, unknown key 'vaule'",
    },
  ],
  'a value of the wrong type': [
    {
      title: 'descriptors that are no list',
      text: 'domain: d\ndescriptors: none\n',
      message: ':2: descriptors: error loading config file: yaml: cannot unmarshal !!str `none` into list',
    },
    {
      title: 'a file that is a list',
      text: '- key: k\n',
      message: ':1: error loading config file: yaml: cannot unmarshal !!seq into map',
    },
    {
      title: 'a quoted number',
      text: descriptor('limits: [{ requests: "5", per: minute }]'),
      message:
        ':4: descriptors[0].limits[0].requests: error loading config file: yaml: cannot unmarshal !!str `5` into uint32',
    },
    {
      title: 'a fraction',
      text: descriptor('limits: [{ requests: 1.5, per: minute }]'),
      message: ':4: descriptors[0].limits[0].requests: error checking config',
    },
    {
      title: 'a quoted switch',
      text: descriptor('shadow_mode: "on"', MINUTE),
      message: ':4: descriptors[0].shadow_mode: error loading config file: yaml: cannot unmarshal !!str `on` into bool',
    },
    {
      title: 'a key that is a list',
      text: 'domain: d\ndescriptors:\n  - key: [k]\n',
      message: ':3: descriptors[0].key[0]: config error, yaml file contains list of type other than map: k',
    },
    {
      title: 'a style of headers that does not exist',
      text: 'domain: d\nheaders: draft-06\n',
      message: ':2: headers: expected one of documented, ietf, reference, off',
    },
    {
      title: 'a window without its length',
      text: descriptor('limits: [{ requests: 5 }]'),
      message: ':4: descriptors[0].limits[0]: `per` is missing',
    },
  ],
  'a number that cannot be': [
    {
      title: 'negative',
      text: descriptor('limits:', '  - { requests: 1, per: minute }', '  - { requests: -1, per: day }'),
      message:
        ':6: descriptors[0].limits[1].requests: error loading config file: yaml: cannot unmarshal !!int `-1` into uint32',
    },
    {
      title: 'above 32 bits',
      text: descriptor('limits: [{ requests: 4294967296, per: minute }]'),
      message:
        ':4: descriptors[0].limits[0].requests: error loading config file: yaml: cannot unmarshal !!int `4294967296` into uint32',
    },
    {
      title: 'above 53 bits',
      text: descriptor('limits: [{ requests: 99999999999999999999, per: minute }]'),
      message:
        ':4: descriptors[0].limits[0].requests: error loading config file: yaml: cannot unmarshal !!int `9999999...` into uint32',
    },
    {
      title: 'infinite',
      text: descriptor('limits: [{ requests: .inf, per: minute }]'),
      message: ':4: descriptors[0].limits[0].requests: error checking config',
    },
    {
      title: 'negative in a rate_limit',
      text: descriptor('rate_limit:', '  unit: day', '  requests_per_unit: -5'),
      message:
        ':6: descriptors[0].rate_limit.requests_per_unit: error loading config file: yaml: cannot unmarshal !!int `-5` into uint32',
    },
    {
      title: 'above 32 bits in a rate_limit',
      text: descriptor('rate_limit: { unit: day, requests_per_unit: 4294967296 }'),
      message:
        ':4: descriptors[0].rate_limit.requests_per_unit: error loading config file: yaml: cannot unmarshal !!int `4294967296` into uint32',
    },
  ],
  'windows that cannot be': [
    {
      title: 'two of one length',
      text: descriptor('limits:', '  - { requests: 1, per: minute }', '  - { requests: 2, per: 60s }'),
      message: ":6: descriptors[0].limits[1].per: two windows of one length: 'minute' and '60s'",
    },
    {
      title: 'of an unknown unit',
      text: descriptor('limits:', '  - requests: 1', '    per: fortnight'),
      message: `:6: descriptors[0].limits[0].per: unknown unit 'fortnight': ${UNITS}`,
    },
    {
      title: 'of a bare number of seconds',
      text: descriptor('limits: [{ requests: 1, per: 60 }]'),
      message: `:4: descriptors[0].limits[0].per: unknown unit '60': ${UNITS}`,
    },
    {
      title: 'of an unknown unit in a rate_limit',
      text: descriptor('rate_limit:', '  requests_per_unit: 5', '  unit: foo'),
      message: ":6: descriptors[0].rate_limit.unit: invalid rate limit unit 'foo'",
    },
    {
      title: 'none at all',
      text: descriptor('limits: []'),
      message: ':4: descriptors[0].limits: expected 1 to 16 items, got 0',
    },
    {
      title: 'seventeen',
      text: descriptor('limits:', ...Array.from({ length: 17 }, (_, n) => `  - { requests: 1, per: ${n + 1}s }`)),
      message: ':5: descriptors[0].limits: expected 1 to 16 items, got 17',
    },
    {
      title: 'named in other than printable ASCII',
      text: descriptor('limits: [{ requests: 1, per: minute, name: grün }]'),
      message: ':4: descriptors[0].limits[0].name: a window is named by 1 to 64 printable ASCII characters',
    },
  ],
  'what contradicts itself': [
    { title: 'an empty domain', text: 'domain: ""\n', message: ':1: domain: config file cannot have empty domain' },
    { title: 'a domain without text', text: 'domain:\n', message: ':1: domain: config file cannot have empty domain' },
    {
      title: 'an empty key',
      text: 'domain: d\ndescriptors:\n  - value: v\n    key: ""\n',
      message: ':4: descriptors[0].key: descriptor has empty key',
    },
    {
      title: 'one key and value twice',
      text: 'domain: d\ndescriptors:\n  - key: k\n    value: v\n  - key: k\n    value: v\n',
      message: ":5: descriptors[1].key: duplicate descriptor composite key 'd.k_v'",
    },
    {
      title: 'limits beside rate_limit',
      text: descriptor('rate_limit: { unit: day, requests_per_unit: 1 }', MINUTE),
      message: ':5: descriptors[0].limits: limits and rate_limit exclude each other on one descriptor',
    },
    {
      title: 'classes without limits',
      text: descriptor('api_keys: true', CLASS),
      message: ':5: descriptors[0].classes: classes replace limits, and there are none here',
    },
    {
      title: 'classes without api_keys',
      text: descriptor(MINUTE, CLASS),
      message: ':5: descriptors[0].classes: classes need api_keys: true on the same descriptor',
    },
    {
      title: 'a value beside api_keys',
      text: descriptor('value: csk_1', 'api_keys: true', MINUTE),
      message: ':4: descriptors[0].value: a value beside api_keys: true would put a key in clear into this file',
    },
    {
      title: 'overdraft without limits',
      text: descriptor('overdraft: true'),
      message: ':4: descriptors[0].overdraft: overdraft stands beside limits, and there are none here',
    },
  ],
};

describe.each(Object.entries(rows))('%s is refused by file, line, key and message', (_, group) => {
  test.each([...group])('$title', ({ text, message }) => {
    const error = thrownBy(() => parsePolicy(text, 'f.yaml'));
    expect(error).toBeInstanceOf(PolicyFileError);
    expect(error).toMatchObject({ code: 'POLICY_INVALID', message: `f.yaml${message}` });
  });
});

describe('what envoyproxy/ratelimit refuses is refused in its words', () => {
  test.each([
    { title: 'an empty file', text: '', message: /^f\.yaml:1: .*config file cannot have empty domain$/ },
    { title: 'no domain', text: 'descriptors: []\n', message: /^f\.yaml:1: .*config file cannot have empty domain$/ },
    {
      title: 'a descriptor without a key',
      text: 'domain: d\ndescriptors:\n  - value: v\n',
      message: /^f\.yaml:3: .*descriptor has empty key$/,
    },
    {
      title: 'a list of other than maps',
      text: 'domain: d\ndescriptors:\n  - a\n',
      message: /^f\.yaml:3: .*config error, yaml file contains list of type other than map: a$/,
    },
    {
      title: 'a value that is a fraction',
      text: descriptor('value: 5.5'),
      message: /^f\.yaml:4: .*error checking config/,
    },
  ])('$title', ({ text, message }) => {
    expect(() => parsePolicy(text, 'f.yaml')).toThrow(PolicyFileError);
    expect(() => parsePolicy(text, 'f.yaml')).toThrow(message);
  });
});

describe('of several mistakes', () => {
  test('the one that stands first in the file is told', () => {
    const text = 'descriptors:\n  - key: k\n    limits: 5\nheaders: none\ndomain: d\n';
    expect(() => parsePolicy(text, 'f.yaml')).toThrow('f.yaml:3: descriptors[0].limits: ');
  });

  test('one of keys and types is told before one of meaning', () => {
    const text = 'domain: ""\ndescriptors:\n  - key: k\n    ratelimit: {}\n';
    expect(thrownBy(() => parsePolicy(text, 'f.yaml'))).toMatchObject({ fault: 'form' });
  });
});

describe('a long text is told in part', () => {
  const long = 'x'.repeat(100_000);
  const deep = (levels: number) =>
    Array.from({ length: levels }, (_, n) => `${'  '.repeat(n)}descriptors:\n${'  '.repeat(n)}- key: k\n`).join('');
  const aliases = `[[&a [${'x,'.repeat(99)}], &b [${'*a,'.repeat(200)}], [${'*b,'.repeat(200)}]]]`;

  test.each([
    ['a value', `domain: d\ndescriptors: ${long}\n`, 'unmarshal !!str `xxxxxxx...` into list'],
    ['an item', `domain: d\ndescriptors: [${long}]\n`, 'than map: xxx'],
    ['a list', `domain: d\ndescriptors: [[${'x, '.repeat(10_000)}]]\n`, 'than map: [x x x'],
    ['a list of millions of aliases', `domain: d\ndescriptors: ${aliases}\n`, 'than map: [[x x'],
    ['a key', `domain: d\n${long}: 1\n`, "unknown key 'xxx"],
    ['a name', `domain: d\ndescriptors: [{ key: ${long} }, { key: ${long} }]\n`, 'duplicate descriptor composite key'],
    ['a way', `domain: d\n${deep(400)}${'  '.repeat(400)}foo: 1\n`, "unknown key 'foo'"],
  ])('%s', (_title, text, message) => {
    const told = (thrownBy(() => parsePolicy(text, 'f.yaml')) as Error).message;
    expect(told).toContain(message);
    expect(told.length).toBeLessThan(1_000);
  });
});

describe('a file that expands without end', () => {
  test('through aliases of aliases is refused, and quickly', () => {
    const levels = Array.from({ length: 12 }, (_, level) => {
      const below = level === 0 ? '' : Array.from({ length: 9 }, () => `*l${level - 1}`).join(', ');
      return `  - &l${level}\n    key: k${level}\n    descriptors: [${below}]\n`;
    });
    const startedAt = performance.now();
    expect(() => parsePolicy(`domain: d\ndescriptors:\n${levels.join('')}`, 'f.yaml')).toThrow('aliases counted');
    // Expanded, it would hold 9^11 descriptors; the bound leaves room for a busy machine.
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });

  test('through an alias inside its own anchor is refused as every other mistake is', () => {
    const text = 'domain: d\ndescriptors: &rules\n  - key: k\n    descriptors: *rules\n';
    expect(() => parsePolicy(text, 'f.yaml')).toThrow(PolicyFileError);
  });

  test.each([
    {
      title: 'rules',
      levelsCount: 600,
      level: (n: number) => `  - &l${n}\n    key: k${n}\n    descriptors: [${n === 0 ? '' : `*l${n - 1}`}]\n`,
      below: '',
    },
    {
      title: 'metadata',
      levelsCount: 1_300,
      level: (n: number) => `      - &l${n} [${n === 0 ? '' : `*l${n - 1}`}]\n`,
      below: '  - key: k\n    metadata:\n      a:\n',
    },
  ])('through $title of aliases, level by level, is refused before the stack ends', ({ levelsCount, level, below }) => {
    const levels = Array.from({ length: levelsCount }, (_, n) => level(n));
    const error = thrownBy(() => parsePolicy(`domain: d\ndescriptors:\n${below}${levels.join('')}`, 'f.yaml'));
    expect(error).toBeInstanceOf(PolicyFileError);
    expect((error as Error).message).toContain('more than 1000 levels');
  });

  test('an anchor that a large file shares a thousand times is none', () => {
    const rules = Array.from({ length: 1_000 }, (_, index) => `  - key: k${index}\n    limits: *shared\n`);
    const text = `domain: d\ndescriptors:\n  - key: k\n    limits: &shared [{ requests: 1, per: day }]\n${rules.join('')}`;
    expect(parsePolicy(text, 'f.yaml').root.children.size).toBe(1_001);
  });
});
