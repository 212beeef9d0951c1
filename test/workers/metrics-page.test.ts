/** Pages of metrics, added up. */
import { describe, expect, test } from '@jest/globals';
import { addPage, type MetricsPage, pageOf, seriesIn, textOf } from '../../src/workers/metrics-page.ts';

function page(type: string, ...lines: string[]): string {
  return `# HELP m What it is, in "words" {and} spaces 1\n# TYPE m ${type}\n${lines.join('\n')}\n`;
}

function sum(...texts: string[]): string {
  const all: MetricsPage = new Map();
  for (const text of texts) addPage(all, pageOf(text), true);
  return textOf(all);
}

test('a page alone stays what it is', () => {
  const text = page('counter', 'm{a="x y",b="1 } 2"} 3', 'm 0.25', 'm{a="\\"\\\\ \\n"} 12345678901') + OTHER;
  expect(sum(text)).toBe(text);
});

const OTHER = '# HELP o Other\n# UNIT o seconds\n# TYPE o gauge\no 7\n';

describe('of two pages', () => {
  test('counters of the same labels are added, others stand beside each other', () => {
    expect(sum(page('counter', 'm{a="1"} 3', 'm{a="2"} 4'), page('counter', 'm{a="2"} 5', 'm{a="3"} 6'))).toBe(
      page('counter', 'm{a="1"} 3', 'm{a="2"} 9', 'm{a="3"} 6'),
    );
  });

  test('histograms are added bucket by bucket', () => {
    const one = page('histogram', 'm_bucket{le="1"} 1', 'm_bucket{le="+Inf"} 2', 'm_sum 3.5', 'm_count 2');
    const two = page('histogram', 'm_bucket{le="1"} 5', 'm_bucket{le="+Inf"} 5', 'm_sum 0.5', 'm_count 5');
    const both = page('histogram', 'm_bucket{le="1"} 6', 'm_bucket{le="+Inf"} 7', 'm_sum 4', 'm_count 7');
    expect(sum(one, two)).toBe(both);
  });

  test('gauges are amounts, and added', () => {
    expect(sum(page('gauge', 'm 2'), page('gauge', 'm 3'))).toBe(page('gauge', 'm 5'));
  });

  test.each(['target_info', 'headroom_rate_limiting_store_breaker_open', 'ratelimit_localcache_averageAccessTime'])(
    '%s is the greatest',
    (name) => {
      const text = (value: number): string => `# TYPE ${name} gauge\n${name}{a="b"} ${value}\n`;
      expect(sum(text(1), text(0), text(1))).toBe(text(1));
    },
  );

  test('a metric that only the second one has stands there, too', () => {
    expect(sum(OTHER, page('counter', 'm 1'))).toBe(OTHER + page('counter', 'm 1'));
  });
});

test('of a process that has ended, gauges do not count', () => {
  const all: MetricsPage = new Map();
  addPage(all, pageOf(page('counter', 'm 1') + OTHER), false);
  expect(textOf(all)).toBe(page('counter', 'm 1'));
  expect(seriesIn(all)).toBe(1);
});
