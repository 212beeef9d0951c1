/** A header block has an end, or its connection has. */
import { describe, expect, test } from '@jest/globals';
import { ConnectionError } from '../../../../src/surfaces/rls/h2/errors.ts';
import { ERROR } from '../../../../src/surfaces/rls/h2/frames.ts';
import { HeaderBlock } from '../../../../src/surfaces/rls/h2/header-block.ts';

const BYTES_MAX = 131_072;
const FRAMES_MAX = 64;

function thrown(work: () => void): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return undefined;
}

test('its parts make one whole, whatever becomes of the bytes that brought them', () => {
  const block = new HeaderBlock(3, true);
  const bytes = Buffer.from('-abc-');
  block.add(bytes, 1, 3);
  block.add(bytes, 3, 4);
  block.add(bytes, 4, 4);
  bytes.fill(0);
  expect(block.whole().toString()).toBe('abc');
});

describe('beyond a bound the connection is told to calm down', () => {
  test.each<[what: string, frames: number, bytes: number]>([
    [`${BYTES_MAX} bytes`, 8, 16_384],
    [`${FRAMES_MAX} frames, of nothing too`, FRAMES_MAX, 0],
  ])('%s are taken, not more', (_what, frames, bytes) => {
    const block = new HeaderBlock(1, false);
    for (let count = 0; count < frames; count++) block.add(Buffer.alloc(bytes), 0, bytes);
    expect(block.whole()).toHaveLength(frames * bytes);
    const error = thrown(() => block.add(Buffer.of(1), 0, bytes > 0 ? 1 : 0));
    expect(error).toBeInstanceOf(ConnectionError);
    expect((error as ConnectionError).code).toBe(ERROR.enhanceYourCalm);
  });
});
