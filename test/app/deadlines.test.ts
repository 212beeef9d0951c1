/** Deadlines are kept to within a tick, and a stalled event loop does not run them out. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { systemClock } from '../../src/adapters/system-clock/system-clock.ts';
import { Deadlines, Expiring } from '../../src/app/deadlines.ts';
import { ManualClock } from '../support/clock.ts';

const TICK_MILLIS = 4;
const TURN_MILLIS_MAX = 20;

class Call extends Expiring {
  readonly expiredAt: number[] = [];
  done = false;
  readonly #clock: ManualClock;

  constructor(clock: ManualClock) {
    super();
    this.#clock = clock;
  }

  expire(): void {
    this.expiredAt.push(this.#clock.monotonicMillis());
  }
}

/** Something else to do when time is over. */
class Told extends Expiring {
  readonly #expire: () => void;

  constructor(expire: () => void) {
    super();
    this.#expire = expire;
  }

  expire(): void {
    this.#expire();
  }
}

function setUp(millisMax = 100) {
  const clock = new ManualClock();
  return { clock, deadlines: new Deadlines(clock, millisMax) };
}

describe('a call', () => {
  test.each([1, 3, 4, 5, 18, 50, 99, 100])('that waits %d ms expires within a tick of its deadline, once', (millis) => {
    const { clock, deadlines } = setUp();
    const call = new Call(clock);
    deadlines.add(call, millis);
    clock.advance(1_000);
    expect(call.expiredAt).toHaveLength(1);
    expect(Math.abs((call.expiredAt[0] ?? 0) - millis)).toBeLessThanOrEqual(TICK_MILLIS);
  });

  test('that is done by then does not expire', () => {
    const { clock, deadlines } = setUp();
    const call = new Call(clock);
    deadlines.add(call, 50);
    clock.advance(40);
    deadlines.remove(call);
    clock.advance(1_000);
    expect(call.expiredAt).toEqual([]);
  });

  test('that is done is not held on to, and no timer runs on for it', () => {
    const { clock, deadlines } = setUp();
    const call = new Call(clock);
    deadlines.add(call, 100);
    deadlines.remove(call);
    deadlines.remove(call);
    expect(call.slot).toBeUndefined();
    clock.advance(TICK_MILLIS);
    expect(clock.timers).toBe(0);
  });

  test('with a shorter deadline expires before one that was there first', () => {
    const { clock, deadlines } = setUp();
    const [patient, hurried] = [new Call(clock), new Call(clock)];
    deadlines.add(patient, 100);
    clock.advance(1);
    deadlines.add(hurried, 20);
    clock.advance(50);
    expect([patient.expiredAt.length, hurried.expiredAt.length]).toEqual([0, 1]);
  });

  test('that comes after a long time without calls has its whole time', () => {
    const { clock, deadlines } = setUp();
    deadlines.add(new Call(clock), 100);
    clock.advance(60_000);
    const call = new Call(clock);
    const asked = clock.monotonicMillis();
    deadlines.add(call, 100);
    clock.advance(1_000);
    expect(Math.abs((call.expiredAt[0] ?? 0) - asked - 100)).toBeLessThanOrEqual(TICK_MILLIS);
  });
});

describe('while nothing waits', () => {
  test('no timer runs', () => {
    const { clock, deadlines } = setUp();
    expect(clock.timers).toBe(0);
    deadlines.add(new Call(clock), 10);
    expect(clock.timers).toBe(1);
    clock.advance(100);
    expect(clock.timers).toBe(0);
  });

  test('one timer serves any number of calls', () => {
    const { clock, deadlines } = setUp();
    for (let millis = 1; millis <= 100; millis++) deadlines.add(new Call(clock), millis);
    expect(clock.timers).toBe(1);
  });
});

describe('a stall of the event loop', () => {
  test.each([21, 100, 5_000, 3_600_000])('of %d ms costs a call no more than a turn of it', (stallMillis) => {
    const { clock, deadlines } = setUp();
    const call = new Call(clock);
    deadlines.add(call, 100);
    clock.stall(stallMillis);
    clock.advance(0);
    expect(call.expiredAt).toEqual([]);
    // What is left after a full turn was counted, and a tick before that.
    clock.advance(100 - TURN_MILLIS_MAX - 2 * TICK_MILLIS);
    expect(call.expiredAt).toEqual([]);
    clock.advance(2 * TURN_MILLIS_MAX);
    expect(call.expiredAt).toHaveLength(1);
  });

  test('of any length lets a reply that is already there win', () => {
    const { clock, deadlines } = setUp();
    const call = new Call(clock);
    deadlines.add(call, 1);
    clock.stall(10_000);
    // The turn reads its sockets before its timers are heard: so the clock's contract says.
    deadlines.remove(call);
    clock.advance(1_000);
    expect(call.expiredAt).toEqual([]);
  });

  test('before a call was made costs that call nothing', () => {
    const { clock, deadlines } = setUp();
    deadlines.add(new Call(clock), 100);
    clock.stall(10_000);
    const call = new Call(clock);
    const asked = clock.monotonicMillis();
    deadlines.add(call, 50);
    clock.advance(1_000);
    expect(Math.abs((call.expiredAt[0] ?? 0) - asked - 50)).toBeLessThanOrEqual(TICK_MILLIS);
  });

  test('of the real event loop lets a reply that is in the socket win, however short the deadline', async () => {
    const { near, far, close } = await socketPair();
    const deadlines = new Deadlines(systemClock, 100);
    const outcome = await new Promise<string>((resolve) => {
      const call = new Told(() => resolve('expired'));
      near.once('data', () => {
        deadlines.remove(call);
        resolve('replied');
      });
      deadlines.add(call, 1);
      far.write('reply');
      blockFor(50);
    });
    await close();
    expect(outcome).toBe('replied');
  });
});

describe('the ring', () => {
  /** What happens next: a call with a deadline, smooth time, a stall, or the end of a call by itself. */
  const step = fc.oneof(
    fc.record({ type: fc.constant('add' as const), millis: fc.integer({ min: 1, max: 100 }) }),
    fc.record({ type: fc.constant('advance' as const), millis: fc.double({ min: 0, max: 150, noNaN: true }) }),
    fc.record({ type: fc.constant('stall' as const), millis: fc.double({ min: 0, max: 500, noNaN: true }) }),
    fc.record({ type: fc.constant('done' as const), millis: fc.nat({ max: 50 }) }),
  );

  test('loses no call and expires none twice, whatever comes when', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { clock, deadlines } = setUp();
        const calls: Call[] = [];
        for (const { type, millis } of steps) {
          if (type === 'advance') clock.advance(millis);
          if (type === 'stall') clock.stall(millis);
          const ending = type === 'done' ? calls[millis] : undefined;
          if (ending !== undefined) {
            ending.done ||= ending.expiredAt.length === 0;
            deadlines.remove(ending);
          }
          if (type !== 'add') continue;
          const call = new Call(clock);
          calls.push(call);
          deadlines.add(call, millis);
        }
        clock.advance(10_000);
        expect(calls.map((call) => call.expiredAt.length)).toEqual(calls.map((call) => (call.done ? 0 : 1)));
        expect(clock.timers).toBe(0);
      }),
    );
  });

  test('without stalls keeps every deadline to within a tick', () => {
    const smooth = fc.record({
      // Eighths, which add up exactly: the clock's contract has no timer fire early, not by rounding either.
      pauseMillis: fc.nat({ max: 480 }).map((eighths) => eighths / 8),
      millis: fc.integer({ min: 1, max: 100 }),
    });
    fc.assert(
      fc.property(fc.array(smooth, { maxLength: 60 }), (steps) => {
        const { clock, deadlines } = setUp();
        const lateness: number[] = [];
        for (const { pauseMillis, millis } of steps) {
          clock.advance(pauseMillis);
          const dueAt = clock.monotonicMillis() + millis;
          deadlines.add(new Told(() => lateness.push(clock.monotonicMillis() - dueAt)), millis);
        }
        clock.advance(10_000);
        expect(lateness).toHaveLength(steps.length);
        expect(lateness.filter((late) => Math.abs(late) > TICK_MILLIS)).toEqual([]);
      }),
    );
  });
});

/** Two ends of a connection in this process. */
async function socketPair(): Promise<{ near: Socket; far: Socket; close: () => Promise<void> }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address() as { port: number };
  const accepted = once(server, 'connection');
  const near = connect(address.port, '127.0.0.1');
  const [far] = (await accepted) as [Socket];
  const close = async (): Promise<void> => {
    near.destroy();
    far.destroy();
    server.close();
    await once(server, 'close');
  };
  return { near, far, close };
}

/** As a long computation or a garbage collection would. */
function blockFor(millis: number): void {
  const until = performance.now() + millis;
  while (performance.now() < until);
}
