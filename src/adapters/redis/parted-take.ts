/**
 * A take whose hits live in several parts: slots of a Cluster, or two Redis. One script call for each part, charged in
 * order, and given back where a later part denies. It may deny falsely for an instant, and never admits too many.
 */
import { type Found, isChargedHit, type Outcome, type Taken, verdictOf } from '../../core/decision.ts';
import { type Hit, type Target, targetOf } from '../../core/hit.ts';
import type { Standing } from '../../core/key-record.ts';
import { charged } from '../../core/window.ts';
import type { ChargeMade } from './counters.ts';

/** What can be charged by one call, and how. */
export interface Parts {
  partOf(target: Target): number;
  /** @param hits all of this part */
  take(part: number, hits: readonly Hit[]): Promise<Taken>;
  refund(part: number, charge: ChargeMade): Promise<void>;
}

/**
 * Whether it is known only from the record in which part the hit is counted: keys without a record are counted by what
 * callers share, which may be in another than the record.
 */
export function roams(hit: Hit, parts: Parts): boolean {
  const unknown = hit.key?.unknown;
  return unknown !== undefined && parts.partOf(unknown) !== parts.partOf(hit);
}

/** One hit alone that roams. One call if the key has a record, two if it has none. */
export async function takeRoaming(hit: Hit, parts: Parts): Promise<Taken> {
  const own = await parts.take(parts.partOf(hit), [withoutUnknown(hit)]);
  const { standing } = own.found[0] as Found;
  const elsewhere = sharedHit(hit, standing);
  if (elsewhere === undefined) return own;
  const shared = await parts.take(parts.partOf(elsewhere), [elsewhere]);
  return { nowSeconds: shared.nowSeconds, found: [{ ...(shared.found[0] as Found), standing }] };
}

export async function takeInParts(hits: readonly Hit[], parts: Parts): Promise<Taken> {
  const clocks: number[] = [];
  const ask = async (part: number, asked: readonly Hit[]): Promise<readonly Found[]> => {
    const { nowSeconds, found } = await parts.take(part, asked);
    clocks.push(nowSeconds);
    return found;
  };
  // One and the same hit given twice is two.
  const each = hits.map((hit) => ({ ...hit }));
  const located = await locate(each, parts, ask);
  const sent = await withStopsDecided(located.hits, parts, ask);
  const run = await new PartedTake(sent, parts, ask).run();
  const found = withHeld(located.hits, run, (hit, index) => hit.cost - (sent[index] as Hit).cost);
  const standings = found.map((one, index) => ({ ...one, standing: located.standings[index] ?? one.standing }));
  // The clock that is behind: no window of any part ends before it.
  return { nowSeconds: Math.min(...clocks), found: standings };
}

type Ask = (part: number, hits: readonly Hit[]) => Promise<readonly Found[]>;

/** Every hit where it is counted. For one that roams, the record is read first. */
async function locate(
  hits: readonly Hit[],
  parts: Parts,
  ask: Ask,
): Promise<{ hits: Hit[]; standings: (Standing | undefined)[] }> {
  const standings = await Promise.all(
    hits.map(async (hit) => {
      if (!roams(hit, parts)) return undefined;
      const [found] = await ask(parts.partOf(hit), [{ ...withoutUnknown(hit), cost: 0 }]);
      return found?.standing;
    }),
  );
  const located = hits.map((hit, index) =>
    roams(hit, parts) ? (sharedHit(hit, standings[index]) ?? withoutUnknown(hit)) : hit,
  );
  return { hits: located, standings };
}

/** A key that turns out to have no record is then refused instead of counted. */
function withoutUnknown(hit: Hit): Hit {
  return hit.key === undefined ? hit : { ...hit, key: { ...hit.key, unknown: undefined } };
}

/** The hit on what callers without a record share; undefined if the key's standing is another. */
function sharedHit(hit: Hit, standing: Standing | undefined): Hit | undefined {
  const target = standing && targetOf(hit, standing);
  if (target === undefined || target !== hit.key?.unknown) return undefined;
  const { cost, need, charging, denies } = hit;
  return { ...target, cost, need, charging, denies };
}

/** Hits charged by `stop` depend on each other: where they live in several parts, all are read before any is charged. */
async function withStopsDecided(hits: readonly Hit[], parts: Parts, ask: Ask): Promise<readonly Hit[]> {
  const stops = hits.filter(({ charging }) => charging === 'stop');
  const byPart = grouped(stops, parts);
  if (byPart.size < 2) return hits;
  const found = new Map<Hit, Found>();
  await Promise.all(
    [...byPart].map(async ([part, group]) => {
      const answers = await ask(part, group.map(withoutCharge));
      group.forEach((hit, index) => {
        found.set(hit, answers[index] as Found);
      });
    }),
  );
  const read = stops.map((hit) => found.get(hit) as Found);
  const verdict = verdictOf(
    stops,
    withHeld(stops, read, (hit) => hit.cost),
  );
  const changing = new Set(
    stops.filter((hit, index) => isChargedHit(hit, verdict.outcomes[index] as Outcome, verdict)),
  );
  return hits.map((hit) => {
    if (hit.charging !== 'stop') return hit;
    return { ...(changing.has(hit) ? hit : withoutCharge(hit)), charging: 'always' };
  });
}

/**
 * What one script lets those charged by `stop` find: what earlier hits on the same counter hold, charged in the end or not.
 * @param heldOf what of a hit's cost is not in the counts of those after it
 */
function withHeld(
  hits: readonly Hit[],
  found: readonly Found[],
  heldOf: (hit: Hit, index: number) => number,
): readonly Found[] {
  const held = new Map<string, number>();
  return hits.map((hit, index) => {
    const one = found[index] as Found;
    const { record, subject } = (one.standing && targetOf(hit, one.standing)) ?? hit;
    const names = one.windows.map(({ seconds }) => JSON.stringify([record, subject, seconds]));
    const before = names.map((name) => held.get(name) ?? 0);
    names.forEach((name, at) => {
      held.set(name, (before[at] as number) + heldOf(hit, index));
    });
    if (hit.charging !== 'stop') return one;
    // Of every window its start, then what was used.
    const counts = one.counts.map((count, at) =>
      at % 2 === 0 ? count : charged(count, before[(at - 1) / 2] as number),
    );
    return { ...one, counts };
  });
}

class PartedTake {
  readonly #hits: readonly Hit[];
  readonly #parts: Parts;
  readonly #ask: Ask;
  readonly #found = new Map<Hit, Found>();
  readonly #charges: { readonly part: number; readonly charge: ChargeMade }[] = [];
  #denied = false;

  /** @param hits each an object of its own; none roams; those charged by `stop` are in one part */
  constructor(hits: readonly Hit[], parts: Parts, ask: Ask) {
    this.#hits = hits;
    this.#parts = parts;
    this.#ask = ask;
  }

  async run(): Promise<Found[]> {
    const groups = [...grouped(this.#hits, this.#parts)];
    const binding = groups.filter(([, hits]) => hits.some(mayBeTakenBack));
    // What no denial changes needs no order.
    const free = groups.filter((group) => !binding.includes(group));
    await Promise.all(free.map((group) => this.#take(...group)));
    try {
      while (binding.length > 0) {
        // What is only read any more needs no order either.
        const next = binding.splice(0, this.#denied ? binding.length : 1);
        await Promise.all(next.map((group) => this.#take(...group)));
      }
    } catch (error) {
      // The call has failed: what is known to be charged is given back as far as that can be done.
      await this.#giveBack().catch(() => undefined);
      throw error;
    }
    const found = this.#hits.map((hit) => this.#found.get(hit) as Found);
    if (verdictOf(this.#hits, found).denied) await this.#giveBack();
    return found;
  }

  async #take(part: number, hits: readonly Hit[]): Promise<void> {
    const charging = this.#denied ? hits.map((hit) => (mayBeTakenBack(hit) ? withoutCharge(hit) : hit)) : hits;
    const asked = charging.map(denyingAlone);
    const found = await this.#ask(part, asked);
    hits.forEach((hit, index) => {
      this.#found.set(hit, found[index] as Found);
    });
    const verdict = verdictOf(asked, found);
    asked.forEach((hit, index) => {
      if (!mayBeTakenBack(hit) || !isChargedHit(hit, verdict.outcomes[index] as Outcome, verdict)) return;
      const { standing, windows, counts } = found[index] as Found;
      const target = { ...(targetOf(hit, standing ?? 'active') ?? hit), windows };
      this.#charges.push({ part, charge: { target, cost: hit.cost, counts } });
    });
    this.#denied ||= verdict.denied;
  }

  /** All of it is tried. @throws the first failure */
  async #giveBack(): Promise<void> {
    const refunds = this.#charges.map(({ part, charge }) => this.#parts.refund(part, charge));
    const failed = (await Promise.allSettled(refunds)).find((outcome) => outcome.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }
}

function mayBeTakenBack({ charging, cost }: Hit): boolean {
  return charging === 'together' && cost > 0;
}

function withoutCharge(hit: Hit): Hit {
  return { ...hit, cost: 0 };
}

/** Whether hits that deny jointly do is known only when all parts have answered. */
function denyingAlone(hit: Hit): Hit {
  return hit.denies === 'jointly' ? { ...hit, denies: 'never' } : hit;
}

function grouped(hits: readonly Hit[], parts: Parts): Map<number, Hit[]> {
  return Map.groupBy(hits, (hit) => parts.partOf(hit));
}
