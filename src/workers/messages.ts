/** What a supervisor and its workers tell each other, beside what node:cluster tells by itself. */

export interface Ports {
  readonly httpPort: number;
  readonly grpcPort: number;
}

/** Each is answered by a text. */
export type Question =
  /** Health goes down; nothing closes yet. */
  | 'leave'
  /** The worker's own metrics in Prometheus's text format. */
  | 'metrics'
  /** The page of statistics, where Prometheus is served one: those metrics are on it, too. */
  | 'page';

export type ToWorker =
  /** Files may be read and ports opened. Until then the worker loads its code. */
  | { readonly type: 'begin' }
  | { readonly type: 'ask'; readonly id: number; readonly question: Question }
  /** Comes with a connection of the debug port, of which the supervisor has read `head`. */
  | { readonly type: 'debug'; readonly id: number; readonly head: string }
  /** Calls in flight end, then the process. */
  | { readonly type: 'stop' };

export type ToSupervisor =
  | ({ readonly type: 'serving' } & Ports)
  /** The worker cannot start, and ends. The text is for operators. */
  | { readonly type: 'failed'; readonly text: string }
  /** The worker serves, but is of no use, and so is every other: the service should end. */
  | { readonly type: 'gaveUp'; readonly text: string }
  /** The connection of that message has arrived. */
  | { readonly type: 'took'; readonly id: number }
  /** Without a text: that cannot be answered, or not yet. */
  | { readonly type: 'answer'; readonly id: number; readonly text?: string };

/** The number of a worker, from 1, is in this variable of its environment. */
export const WORKER_VARIABLE = 'HEADROOM_WORKER';
