/** Limits and their windows, as a policy states them. How a window counts is window.ts's matter. */
import { fixedWindow, type WindowAlgorithm } from './window.ts';

export const UNIT_SECONDS = {
  second: 1,
  minute: 60,
  hour: 3_600,
  day: 86_400,
  week: 604_800,
  month: 2_592_000, // 30 days, as in envoyproxy/ratelimit
  year: 31_536_000, // 365 days, as in envoyproxy/ratelimit
} as const;

export type Unit = keyof typeof UNIT_SECONDS;

/** The largest `requests`: what a status can carry (uint32 in Envoy's protocol). */
export const REQUESTS_MAX = 4_294_967_295;

/** The longest window that a file may ask for: the packed counter holds the length in four bytes. */
export const WINDOW_SECONDS_MAX = 4_294_967_295;

const DURATION_SECONDS = { s: 1, m: 60, h: 3_600, d: 86_400 } as const;

/** N requests per length. */
export interface Window {
  /** For people and headers: printable ASCII; the unit or the duration unless the policy names it. */
  readonly name: string;
  readonly max: number;
  readonly seconds: number;
  /** Absent when the length is none of the units. */
  readonly unit: Unit | undefined;
  readonly algorithm: WindowAlgorithm;
}

/** Everything that one policy node enforces on one subject. */
export interface Limit {
  /** Where the node stands: its names joined by `.`; a closed set, so it may label metrics. */
  readonly policy: string;
  /** The name of its statistics, as in envoyproxy/ratelimit: the domain and `policy`, unless `detailed`. */
  readonly statsKey: string;
  /** Shortest first, lengths distinct, at least one; none where it is `unlimited`. */
  readonly windows: readonly Window[];
  /** `each`: counted whatever the verdict, as envoyproxy/ratelimit does. `together`: all windows or none. */
  readonly charging: 'each' | 'together';
  /** A cost is recorded in full even where it exceeds. */
  readonly overdraft: boolean;
  /** Counted and reported, never enforced. */
  readonly shadow: boolean;
  /** Denies a request only if all such limits of the request do. */
  readonly quota: boolean;
  /** Everything passes, nothing is counted. */
  readonly unlimited: boolean;
  /** Its statistics are named by the values that requests bring. */
  readonly detailed: boolean;
  /** By which `replaces` of other limits call it; empty: by none. */
  readonly name: string;
  /** Names of limits that do not apply to a request that this one applies to. */
  readonly replaces: readonly string[];
  /** What gateways are told of requests that pass it. */
  readonly metadata: JsonObject | undefined;
  /** Made for one request, by its override or by an API key's own numbers: nothing is prepared for it. */
  readonly passing?: boolean | undefined;
}

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

/** @returns undefined unless `text` is a unit or a duration such as `90s 5m 12h 7d`, of 1 … WINDOW_SECONDS_MAX seconds. */
export function parsePer(text: string): { seconds: number; unit: Unit | undefined } | undefined {
  const name = text.toLowerCase();
  if (isUnit(name)) return { seconds: UNIT_SECONDS[name], unit: name };
  const duration = /^([1-9]\d{0,9})([smhd])$/.exec(text);
  if (!duration) return undefined;
  const seconds = Number(duration[1]) * DURATION_SECONDS[duration[2] as keyof typeof DURATION_SECONDS];
  if (seconds > WINDOW_SECONDS_MAX) return undefined;
  return { seconds, unit: unitOf(seconds) };
}

export function isUnit(name: string): name is Unit {
  return Object.hasOwn(UNIT_SECONDS, name);
}

/** @param max 0 … REQUESTS_MAX */
export function unitWindow(max: number, unit: Unit): Window {
  return { name: unit, max, seconds: UNIT_SECONDS[unit], unit, algorithm: fixedWindow };
}

function unitOf(seconds: number): Unit | undefined {
  for (const [unit, length] of Object.entries(UNIT_SECONDS)) if (length === seconds) return unit as Unit;
  return undefined;
}
