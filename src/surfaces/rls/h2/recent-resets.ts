/** Streams that this side reset a moment ago: what was on its way for them is no mistake. */
import { CONCURRENT_STREAMS_MAX } from './bounds.ts';

/** All that are open may end so at once. Beyond, the oldest is forgotten: what still comes of it is a mistake then. */
export const RESETS_REMEMBERED_MAX = CONCURRENT_STREAMS_MAX;

export class RecentResets {
  readonly #streamIds = new Set<number>();

  has(streamId: number): boolean {
    return this.#streamIds.has(streamId);
  }

  add(streamId: number): void {
    this.#streamIds.add(streamId);
    if (this.#streamIds.size <= RESETS_REMEMBERED_MAX) return;
    for (const oldest of this.#streamIds) {
      this.#streamIds.delete(oldest);
      break;
    }
  }

  /** The client has ended it, too: nothing more can be on its way. */
  delete(streamId: number): void {
    this.#streamIds.delete(streamId);
  }
}
