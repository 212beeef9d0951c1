/** take.lua's arguments and its reply, as that file describes them. */

import { type Charging, type Denies, type Hit, targetOf } from '../../core/hit.ts';
import type { Standing } from '../../core/key-record.ts';
import type { Window } from '../../core/limit.ts';
import type { Found, Taken } from '../../core/verdict.ts';

/** By the number that stands for each in a reply. */
const STANDINGS: readonly Standing[] = ['unknown', 'active', 'inactive', 'replaced'];

const CHARGING: Readonly<Record<Charging, string>> = { together: '0', always: '1', stop: '2' };
const DENIES: Readonly<Record<Denies, string>> = { never: '0', alone: '1', jointly: '2' };

export function argumentsOf({ charging, denies, cost, need, key, windows }: Hit): string[] {
  const charge = [CHARGING[charging], DENIES[denies], String(cost), String(need)];
  if (key === undefined) return [...charge, '0', ...windowArguments(windows)];
  const { hashes, ownLimits, refusesInactive, unknown } = key;
  const presented = [hashes[0] as string, hashes[1] ?? '', flag(ownLimits), flag(refusesInactive)];
  const known = [flag(unknown !== undefined), ...windowArguments(windows)];
  return [...charge, '1', ...presented, ...known, ...(unknown === undefined ? [] : windowArguments(unknown.windows))];
}

/** @param hits those that were asked for, in order */
export function readReply(hits: readonly Hit[], reply: readonly number[]): Taken {
  let at = 1;
  const found = hits.map((hit): Found => {
    if (hit.key === undefined) {
      const counts = reply.slice(at, at + 2 * hit.windows.length);
      at += counts.length;
      return { standing: undefined, windows: hit.windows, counts };
    }
    const standing = STANDINGS[reply[at] as number] as Standing;
    at += 1;
    const windows = targetOf(hit, standing)?.windows ?? [];
    const values = reply.slice(at, at + 3 * windows.length);
    at += values.length;
    return { standing, windows: withMaxes(windows, values), counts: values.filter((_, index) => index % 3 !== 2) };
  });
  return { nowSeconds: reply[0] as number, found };
}

/** Each window with the max that was in force; the same windows if nothing replaced any. */
function withMaxes(windows: readonly Window[], values: readonly number[]): readonly Window[] {
  const isSame = windows.every(({ max }, index) => values[3 * index + 2] === max);
  return isSame ? windows : windows.map((window, index) => ({ ...window, max: values[3 * index + 2] as number }));
}

function windowArguments(windows: readonly Window[]): string[] {
  return [String(windows.length), ...windows.flatMap(({ seconds, max }) => [String(seconds), String(max)])];
}

function flag(is: boolean): string {
  return is ? '1' : '0';
}
