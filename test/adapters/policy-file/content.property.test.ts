/** Policies that another YAML library writes are read back as they were meant, however they are written. */
import { isDeepStrictEqual } from 'node:util';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parse, stringify } from 'yaml';
import { readContent } from '../../../src/adapters/policy-file/content.ts';
import { YamlText } from '../../../src/adapters/policy-file/yaml-text.ts';

/** Texts as they come, and those that YAML 1.1 would take for something else. */
const text = fc.oneof(
  fc.string({ unit: 'grapheme', minLength: 1 }),
  fc.constantFrom(
    'yes',
    'n',
    '010',
    '0x1F',
    '1_000',
    '1.5',
    '.5',
    '1e3',
    '.inf',
    '~',
    'null',
    '<<',
    '=',
    '2026-07-01',
    '1:30',
  ),
  fc.constantFrom(
    'a: b',
    '- a',
    '# a',
    'a #b',
    '*a',
    '&a',
    '!a',
    '%a',
    '@a',
    '`a',
    ' a ',
    'a\nb\n',
    '\ta',
    '"',
    "'",
    '{}',
    '[',
    '---',
    '...',
  ),
);
const uint32 = fc.integer({ min: 0, max: 4_294_967_295 });
const optional = { noNullPrototype: true, requiredKeys: [] };

const json = fc.letrec((tie) => ({
  value: fc.oneof({ depthSize: 'small' }, text, fc.boolean(), fc.constant(null), fc.integer(), tie('list'), tie('map')),
  list: fc.array(tie('value'), { maxLength: 3 }),
  map: fc.dictionary(
    text.filter((key) => key !== '<<'),
    tie('value'),
    { maxKeys: 3, noNullPrototype: true },
  ),
})).map;

const window = fc.record(
  { requests: uint32, per: text, name: fc.stringMatching(/^[\x20-\x7e]{1,64}$/) },
  { noNullPrototype: true, requiredKeys: ['requests', 'per'] },
);

const rateLimit = fc.record(
  {
    unit: text,
    requests_per_unit: uint32,
    unlimited: fc.boolean(),
    name: text,
    replaces: fc.array(fc.record({ name: text }, optional), { maxLength: 2 }),
  },
  optional,
);

/** Two levels of rules: the reader does the same at each. */
const rule = {
  key: text,
  value: text,
  rate_limit: rateLimit,
  limits: fc.array(window, { minLength: 1, maxLength: 2 }),
  shadow_mode: fc.boolean(),
  quota_mode: fc.boolean(),
  share_threshold: fc.boolean(),
  metadata: json,
};
const leaves = fc.array(fc.record(rule, { noNullPrototype: true, requiredKeys: ['key'] }), { maxLength: 2 });
const descriptors = fc.array(
  fc.record({ ...rule, descriptors: leaves }, { noNullPrototype: true, requiredKeys: ['key'] }),
  { maxLength: 3 },
);

const definition = fc.record(
  { domain: text, headers: fc.constantFrom('documented', 'off'), descriptors },
  { noNullPrototype: true, requiredKeys: ['domain'] },
);

const styles = fc.record({
  collectionStyle: fc.constantFrom('any' as const, 'block' as const, 'flow' as const),
  indent: fc.integer({ min: 1, max: 4 }),
  lineWidth: fc.constantFrom(0, 20, 80),
  singleQuote: fc.constantFrom(true, false, null),
  blockQuote: fc.constantFrom(true, false, 'folded' as const, 'literal' as const),
});

test('what is written is what is read, in every style', () => {
  fc.assert(
    fc.property(definition, styles, (written, style) => {
      const document = stringify(written, { version: '1.1', ...style });
      // Now and then that library cannot read what it has written: folded blocks in narrow lines.
      fc.pre(isDeepStrictEqual(parse(document, { version: '1.1' }), written));
      expect(readContent(new YamlText(document))).toEqual(written);
    }),
    { numRuns: 200 },
  );
});

test('what stands there twice may be an alias', () => {
  fc.assert(
    fc.property(definition, rateLimit, (written, shared) => {
      const rules = ['a', 'b', 'c'].map((key) => ({ key, rate_limit: shared }));
      const whole = { ...written, descriptors: rules };
      const document = stringify(whole, { version: '1.1' });
      expect(document).toContain(Object.keys(shared).length > 0 ? '*a1' : 'rate_limit');
      expect(readContent(new YamlText(document))).toEqual(whole);
    }),
  );
});
