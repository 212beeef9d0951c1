import { describe, expect, test } from '@jest/globals';
import { MemoryKeys } from '../../src/adapters/memory/memory-keys.ts';
import { describeKeys } from './key-registry-contract.ts';
import { change, create, creation, keyOf, NOW } from './keys-under-test.ts';
import { ManualClock } from './manual-clock.ts';

function openKeys(): { registry: MemoryKeys; clock: ManualClock } {
  const clock = new ManualClock(NOW / 1_000);
  return { clock, registry: new MemoryKeys({ clock }) };
}

describeKeys('memory', () => {
  const { registry, clock } = openKeys();
  return {
    registry,
    pass: async (seconds) => {
      clock.seconds += seconds;
    },
  };
});

describe('memory', () => {
  test('shows a decision the record as it is in this very turn', async () => {
    const { registry } = openKeys();
    const stored = await create(registry);
    const { id } = stored.record;
    expect(registry.stored(id)).toEqual(stored);
    const write = change(registry, stored, { rateLimitPerMinute: 3 });
    expect(registry.stored(id)?.record.rateLimitPerMinute).toBe(3);
    await write;
    expect(registry.stored('key_nobody')).toBeUndefined();
  });

  test('remembers 10,000 replies: beyond, the one remembered longest ago is forgotten', async () => {
    const { registry } = openKeys();
    for (let made = 0; made <= 10_000; made++) {
      await registry.write(creation(keyOf(), { name: `n${made}`, reply: `r${made}`, seconds: 60 }));
    }
    expect(await registry.replyOf('n0')).toBeUndefined();
    expect(await registry.replyOf('n1')).toBe('r1');
    expect(await registry.replyOf('n10000')).toBe('r10000');
  });
});
