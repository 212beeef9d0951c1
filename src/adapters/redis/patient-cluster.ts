/** A client of a Cluster that waits for the connection to a node which it is redirected to. All else is ioredis's. */
import { Cluster } from 'ioredis';

// What is waited for lasts a few of these. Each is one of the sixteen redirections that ioredis allows a command.
const CONNECTING_MILLIS = 10;

/**
 * A slot that moves to a node without any is redirected to one that nobody is connected to, again whenever the map of slots
 * is renewed: such a node is not on it. Without an offline queue, commands would fail until the connection is there.
 */
export class PatientCluster extends Cluster {
  /** The redirection that is being followed just now, and what ioredis knows its command by. */
  #following: { readonly refusal: Error; readonly ttl: object } | undefined;

  /**
   * Called by ioredis for each command that was refused; and, while that is sending it elsewhere, once more if it cannot.
   * Such a command has been refused as MOVED or ASK, and not been sent since: nothing has been done for it.
   */
  override handleError(error: Error, ttl: { value?: number }, handlers: unknown): void {
    const followed = this.#following;
    if (followed?.ttl === ttl && error.message === 'Connection is closed.') {
      setTimeout(() => this.handleError(followed.refusal, ttl, handlers), CONNECTING_MILLIS);
      return;
    }
    this.#following = /^(MOVED|ASK) /.test(error.message) ? { refusal: error, ttl } : undefined;
    try {
      super.handleError(error, ttl, handlers);
    } finally {
      this.#following = undefined;
    }
  }
}
