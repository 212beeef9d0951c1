/** Names turned into tags as operators describe it: what is Go's is Go's, and a mistake is found at start. */
import { describe, expect, test } from '@jest/globals';
import type { MogrifierConfig } from '../../../src/observability/stats/config.ts';
import { mogrifierOf } from '../../../src/observability/stats/mogrifiers.ts';
import { serviceName } from '../../../src/observability/stats/names.ts';
import { dogStatsdForms } from '../../../src/observability/stats/statsd-lines.ts';

const NAME = 'ratelimit.service.rate_limit.mongo_cps.database_users.within_limit';
const MOGRIFIER: MogrifierConfig = {
  variable: 'TAG',
  pattern: '^ratelimit\\.service\\.rate_limit\\.(.*)\\.(.*)\\.(.*)$',
  name: 'ratelimit.service.rate_limit.$3',
  tags: { domain: '$1', descriptor: '$2' },
};

function of(rest: Partial<MogrifierConfig>): MogrifierConfig {
  return { ...MOGRIFIER, ...rest };
}

test('a name that matches is put together anew, and its groups are tags', () => {
  expect(mogrifierOf([MOGRIFIER])(NAME)).toEqual({
    name: 'ratelimit.service.rate_limit.within_limit',
    tags: [
      ['domain', 'mongo_cps'],
      ['descriptor', 'database_users'],
    ],
  });
});

test('a name that does not match stays as it is', () => {
  expect(mogrifierOf([MOGRIFIER])('ratelimit.service.config_load_success')).toEqual({
    name: 'ratelimit.service.config_load_success',
    tags: [],
  });
});

test('a name of which nothing would be left stays as it is', () => {
  const mogrifier = of({ pattern: 'within|(nothing)', name: '$1', tags: { t: '$0' } });
  expect(mogrifierOf([mogrifier])(NAME)).toEqual({ name: NAME, tags: [['t', 'within']] });
});

test('the first one that matches counts', () => {
  const mogrify = mogrifierOf([
    of({ pattern: 'nowhere', name: 'a', tags: {} }),
    of({ pattern: 'mongo', name: 'b', tags: {} }),
    MOGRIFIER,
  ]);
  expect(mogrify(NAME)).toEqual({ name: 'b', tags: [] });
});

test.each<[pattern: string, name: string, expected: string]>([
  ['(?P<domain>mongo\\w+)', '$1', 'mongo_cps'],
  ['(?i)MONGO', '$0', 'mongo'],
  ['within|(nothing)', 'x$1y', 'xy'],
  ['(mongo)', '$1$1', 'mongomongo'],
])('the pattern %s is read as Go reads it', (pattern, name, expected) => {
  expect(mogrifierOf([of({ pattern, name, tags: {} })])(NAME).name).toBe(expected);
});

describe('a mistake is told with its variable', () => {
  test.each<[rest: Partial<MogrifierConfig>, message: RegExp]>([
    [{ pattern: '' }, /^DOG_STATSD_MOGRIFIER_TAG_PATTERN: is required$/],
    [{ name: '' }, /^DOG_STATSD_MOGRIFIER_TAG_NAME: is required$/],
    [{ tags: { '': '5' } }, /^DOG_STATSD_MOGRIFIER_TAG_TAGS: expected tag:value/],
    [{ tags: { domain: '' } }, /^DOG_STATSD_MOGRIFIER_TAG_TAGS: expected tag:value/],
    [{ pattern: '(' }, /^DOG_STATSD_MOGRIFIER_TAG_PATTERN: '\(' is no regular expression/],
    // Go has no look-ahead.
    [{ pattern: 'a(?=b)' }, /^DOG_STATSD_MOGRIFIER_TAG_PATTERN: /],
    [{ name: '$4' }, /^DOG_STATSD_MOGRIFIER_TAG_NAME: \$4: the pattern has 3 groups$/],
    [{ name: `x\${9}` }, /^DOG_STATSD_MOGRIFIER_TAG_NAME: \$\{9\}: the pattern has 3 groups$/],
    [{ tags: { domain: '$9' } }, /^DOG_STATSD_MOGRIFIER_TAG_TAGS: \$9: /],
  ])('%j', (rest, message) => {
    expect(() => mogrifierOf([of(rest)])).toThrow(message);
  });
});

test('tags hold what a caller chose, and stay one tag each', () => {
  const name = serviceName('ratelimit.service.rate_limit.d.k_a,b#c=d.total_hits');
  expect(dogStatsdForms({ env: 'a,b' }, mogrifierOf([MOGRIFIER]))(name)).toEqual({
    head: 'ratelimit.service.rate_limit.total_hits',
    tail: '|#env:a_b,domain:d,descriptor:k_a_b#c=d',
  });
});
