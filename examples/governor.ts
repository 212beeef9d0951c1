/**
 * Many callers of one API key that never see a 429. They share one governed fetch, which reads the RateLimit-* headers
 * and pauses before the limit is reached.
 *
 *   node examples/governor.ts URL KEY CALLERS CALLS [--no-governor]
 *
 * The last line of its output says what happened: calls, answers by status (those included that were made again), and
 * seconds. With --no-governor only Retry-After and backoff are left, so there are 429s, and calls that are made again.
 */
import { parseArgs } from 'node:util';
import { createGovernedFetch, type GovernedEvent } from 'headroom/client';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { 'no-governor': { type: 'boolean', default: false } },
});
const [url, key, callers, calls] = positionals;
if (url === undefined || key === undefined || !(Number(callers) > 0) || !(Number(calls) > 0)) {
  process.stderr.write('usage: node examples/governor.ts URL KEY CALLERS CALLS [--no-governor]\n');
  process.exit(2);
}

const statuses: Record<number, number> = {};
const governedFetch = createGovernedFetch({
  governor: !values['no-governor'],
  maxAttempts: 10,
  onEvent: tell,
  // Every answer is counted here, before the governed fetch sees it.
  async fetch(input, init) {
    const response = await fetch(input, init);
    statuses[response.status] = (statuses[response.status] ?? 0) + 1;
    return response;
  },
});

let left = Number(calls);
const startedAt = performance.now();
await Promise.all(Array.from({ length: Number(callers) }, () => caller(url, key)));
const seconds = Math.round(performance.now() - startedAt) / 1_000;
process.stdout.write(`${JSON.stringify({ calls: Number(calls), statuses, seconds })}\n`);

async function caller(address: string, apiKey: string): Promise<void> {
  while (left > 0) {
    left -= 1;
    const response = await governedFetch(address, { headers: { 'X-API-Key': apiKey } });
    await response.arrayBuffer();
    if (!response.ok) throw new Error(`status ${response.status}`);
  }
}

function tell(event: GovernedEvent): void {
  process.stderr.write(`${event.type}: ${Math.round(event.millis)} ms\n`);
}
