/** Lines within brackets and quotes begin in any column, as libyaml lets them, and mean what they mean further in. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parse, stringify } from 'yaml';
import { readContent } from '../../../src/adapters/policy-file/content.ts';
import { parsePolicy } from '../../../src/adapters/policy-file/read-policy.ts';
import { YamlText } from '../../../src/adapters/policy-file/yaml-text.ts';

const read = (...lines: readonly string[]) => readContent(new YamlText(`${lines.join('\n')}\n`));

/** Rules after `domain: d`, each of them this one. */
const MINUTE = { key: 'a', rate_limit: { unit: 'minute', requests_per_unit: 5 } };

describe('a file whose brackets close or go on too far left means what it says', () => {
  test.each([
    {
      title: 'a brace in the column of its key',
      lines: ['descriptors:', '- key: a', '  rate_limit: {', '    unit: minute,', '    requests_per_unit: 5', '  }'],
    },
    {
      title: 'a brace in column 0',
      lines: ['descriptors:', '- key: a', '  rate_limit: {', '    unit: minute,', '    requests_per_unit: 5', '}'],
    },
    {
      title: 'a list in column 0',
      lines: ['descriptors: [', '{ key: a,', 'rate_limit: { unit: minute,', 'requests_per_unit: 5 }},', ']'],
    },
    {
      title: 'comments between its parts',
      lines: [
        'descriptors:',
        "- { key: a, # it's {",
        'rate_limit: # "',
        '{ # [',
        '# ]',
        'unit: minute,# x',
        'requests_per_unit: 5}}',
      ],
    },
    {
      title: 'comments close behind',
      lines: [
        'descriptors: [# [',
        '{ "key":"a"# "',
        ',"rate_limit":{# {',
        'unit: minute,# x',
        'requests_per_unit: 5}# }',
        '}]',
      ],
    },
    {
      title: 'tabs behind colons and commas',
      lines: ['descriptors:', '- key:\ta', '  rate_limit:\t{unit:\tminute,\trequests_per_unit:\t5}'],
    },
    {
      title: 'tabs before its parts',
      lines: ['descriptors:', '- key: a', '  rate_limit: {', '\tunit: minute,', '\t\trequests_per_unit: 5', '\t}'],
    },
    {
      title: 'lines that end as on Windows',
      lines: [
        'descriptors: [\r',
        '{ key: "a", rate_limit: {\r',
        'unit: minute, # }\r',
        'requests_per_unit: 5 }}\r',
        ']\r',
      ],
    },
  ])('$title', ({ lines }) => {
    expect(read('domain: d', ...lines)).toEqual({ domain: 'd', descriptors: [MINUTE] });
  });

  test.each([
    { title: 'a text in double quotes', value: '"b\nc"', is: 'b c' },
    { title: 'with an empty line', value: '"b\n\n c"', is: 'b\nc' },
    { title: 'with a break that is none', value: '"b\\\nc\\n"', is: 'bc\n' },
    { title: 'a text in single quotes', value: "'it''s\n\n\nc'", is: "it's\n\nc" },
    { title: 'a text without quotes in brackets', value: 'b\nc', is: 'b c' },
    { title: 'the same with a quote', value: 'b\n\'c"', is: 'b \'c"' },
    { title: 'the same with an empty line', value: 'b\n\nc', is: 'b\nc' },
  ])('$title that goes on in column 0', ({ value, is }) => {
    const inBrackets = read('domain: d', 'descriptors:', `- { key: a, value: ${value} }`);
    expect(inBrackets).toEqual({ domain: 'd', descriptors: [{ key: 'a', value: is }] });
    if (value.startsWith('b')) return;
    expect(read('domain: d', 'descriptors:', '- key: a', `  value: ${value}`)).toEqual(inBrackets);
  });

  test('whatever stands around it and looks like brackets and quotes', () => {
    const lines = [
      'domain:',
      ' d # it\'s "',
      '# {',
      'descriptors:',
      "- key: it's {",
      '  value: |',
      '    [ "',
      '  metadata:',
      '    a: >-2',
      '        { "',
      '      [',
      '    b: some {',
      "      'text [",
      '    ? "{"',
      '    : - &x [',
      ']',
      '      - *x',
      '    "k": |',
      '    c: {',
      '}',
    ];
    expect(read(...lines)).toEqual({
      domain: 'd',
      descriptors: [
        {
          key: "it's {",
          value: '[ "\n',
          metadata: { a: '  { "\n[', b: "some { 'text [", '{': [[], []], k: '', c: {} },
        },
      ],
    });
  });

  test('and what is wrong in it is told by its own line', () => {
    const text = 'domain: d\ndescriptors: [\n{ key: a },\n{ key: b,\n  valeu: c }\n]\n';
    expect(() => parsePolicy(text, 'f.yaml')).toThrow(
      "f.yaml:5: descriptors[1].valeu: config error, unknown key 'valeu'",
    );
  });
});

describe('what libyaml refuses, too, stays refused', () => {
  test.each([
    { title: 'a text that a comment parts', text: 'domain: d\nmetadata: [ a # b\nc ]\n' },
    { title: 'two texts without a comma', text: 'domain: d\nmetadata: [ "a"\n"b" ]\n' },
    { title: 'brackets that never close', text: 'domain: d\nmetadata: [\n' },
    { title: 'quotes that never close', text: 'domain: d\nmetadata: { "a\n' },
    { title: 'a tab that indents', text: 'domain: d\ndescriptors:\n-\tkey: a\n\trate_limit: {\n}\n' },
  ])('$title', ({ text }) => {
    expect(() => parsePolicy(text, 'f.yaml')).toThrow('error loading config file: yaml: ');
  });
});

const text = fc.oneof(
  fc.string({ unit: 'grapheme', minLength: 1 }),
  fc.stringMatching(/^[a-z'"{}[\],:#& -]{1,40}$/),
  fc.constantFrom(
    'a b c d e f g h i j k l m n o p',
    "it's",
    'a "b" c',
    'a # b',
    'a: b',
    '\n',
    'a\n\nb\n',
    '\\',
    'a\tb',
  ),
);
const rules = fc.array(
  fc.record(
    {
      key: text,
      value: text,
      metadata: fc.dictionary(
        text.filter((key) => key !== '<<'),
        fc.array(text, { maxLength: 2 }),
        { maxKeys: 2, noNullPrototype: true },
      ),
    },
    { noNullPrototype: true, requiredKeys: ['key'] },
  ),
  { minLength: 1, maxLength: 3 },
);
const indents = fc.array(fc.constantFrom('', ' ', '    ', '\t', ' \t '), { minLength: 1, maxLength: 7 });
const styles = fc.record({
  lineWidth: fc.constantFrom(20, 30, 80),
  singleQuote: fc.constantFrom(true, false, null),
  flowCollectionPadding: fc.boolean(),
});

test('any text within brackets is read as if it were indented', () => {
  fc.assert(
    fc.property(rules, styles, indents, (written, style, columns) => {
      const flow = stringify(written, { version: '1.1', collectionStyle: 'flow', minContentWidth: 0, ...style });
      fc.pre(JSON.stringify(parse(flow, { version: '1.1' })) === JSON.stringify(written));
      const [first, ...further] = flow.trimEnd().split('\n');
      const moved = further.map((line, at) => {
        const bare = line.replace(/^[ \t]+/, '');
        // In column 0 it would end the document.
        return `${/^(---|\.\.\.)/.test(bare) ? ' ' : ''}${bare === '' ? '' : columns[at % columns.length]}${bare}`;
      });
      expect(read('domain: d', `descriptors: ${first}`, ...moved)).toEqual({ domain: 'd', descriptors: written });
    }),
    { numRuns: 300 },
  );
});
