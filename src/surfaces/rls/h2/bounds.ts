/** What one connection may ask of this service. Each bound, and what happens beyond it. */
import type { Clock } from '../../../ports/clock.ts';
import { Budget } from './budget.ts';

/** Gateways keep one connection per worker and send all of their calls through it. Beyond: REFUSED_STREAM. */
export const CONCURRENT_STREAMS_MAX = 4_096;

// Calls of one connection that end by RST_STREAM, sent by the client or provoked by it; beyond, the connection ends with
// every call on it. The timeouts of a gateway while the store is slow must not cost it all its calls, who opens streams
// only to reset them (CVE-2023-44487, CVE-2025-8671) may not: 9,000 a second keep a process busy with nothing else.
export const RESETS_PER_SECOND_MAX = 3_000;
/** All calls that are open at once, several times over: a stall of seconds ends them all. */
export const RESETS_BURST_MAX = 4 * CONCURRENT_STREAMS_MAX;

/** Of one request, as RFC 9113 §6.5.2 counts it: four times what gateways let callers send them. Beyond: status 431. */
export const HEADER_LIST_BYTES_MAX = 65_536;

/** For what is decoded with: what every client's encoder begins with. */
export const HEADER_TABLE_BYTES_MAX = 4_096;

/** So much of one request's body may come before it is used. Beyond: FLOW_CONTROL_ERROR. */
export const STREAM_WINDOW_BYTES = 65_535;

/** And so much of all of them together. */
export const CONNECTION_WINDOW_BYTES = 1_048_576;

/** Heads and bodies of all requests that have no answer yet: sixteen of the largest messages. Beyond: ENHANCE_YOUR_CALM for the stream. */
export const OPEN_REQUESTS_BYTES_MAX = 64 * 1_024 * 1_024;

/** Of one request: the largest message in frames of 512 bytes. What reads bodies is slow with crumbs. Beyond: as above. */
export const DATA_FRAMES_MAX = 8_192;

/** Each stream brings so many more: some clients grant windows anew for each answer, twice, and ask by PING how fast they are. */
export const SMALL_FRAMES_A_STREAM = 4;

/** Frames beyond any of these: ENHANCE_YOUR_CALM for the connection. */
export interface FrameBudgets {
  readonly resets: Budget;
  /** Each may change the windows of all streams. */
  readonly settings: Budget;
  /** What costs a client next to nothing: PING, WINDOW_UPDATE, PRIORITY, empty DATA, unknown frames. */
  readonly small: Budget;
}

export function frameBudgets(clock: Pick<Clock, 'monotonicMillis'>): FrameBudgets {
  return {
    resets: new Budget({ clock, perSecond: RESETS_PER_SECOND_MAX, burstMax: RESETS_BURST_MAX }),
    settings: new Budget({ clock, perSecond: 100, burstMax: 1_000 }),
    // So many are under a tenth of one core.
    small: new Budget({ clock, perSecond: 50_000, burstMax: 100_000 }),
  };
}
