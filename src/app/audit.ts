/** Who changed what: an entry in the registry and a line in the log, with what was before and what is after. */

import type { Admin } from '../ports/admin-tokens.ts';
import type { Clock } from '../ports/clock.ts';
import type { AuditEntry, KeyRegistry, Page } from '../ports/key-registry.ts';
import type { Log } from '../ports/log.ts';

export type AuditAction =
  | 'key.created'
  | 'key.changed'
  | 'key.revoked'
  | 'key.rotated'
  | 'key.usage_reset'
  | 'limits.reset';

export interface AuditOptions {
  readonly registry: Pick<KeyRegistry, 'addAudit' | 'audit'>;
  readonly clock: Pick<Clock, 'nowMillis'>;
  readonly log: Log;
}

export class Audit {
  readonly #options: AuditOptions;

  constructor(options: AuditOptions) {
    this.#options = options;
  }

  /** An entry that is still to be written, together with the change. @param before, after as operators see them */
  entry(by: Admin, action: AuditAction, subject: string, before: unknown, after: unknown): AuditEntry {
    return { at: this.#options.clock.nowMillis(), actor: `token:${by.fingerprint}`, action, subject, before, after };
  }

  /** The line in the log, once the change is made. */
  logged({ actor, action, subject, before, after }: AuditEntry): void {
    this.#options.log.info({ actor, action, subject, before, after }, 'audit');
  }

  /** For what changes no record: the line, whatever becomes of the entry, since what it tells of is done. */
  async add(entry: AuditEntry): Promise<void> {
    this.logged(entry);
    await this.#options.registry.addAudit(entry);
  }

  /** Newest first. @param page from 1 */
  list(page: number, pageSize: number): Promise<Page<AuditEntry>> {
    return this.#options.registry.audit(page, pageSize);
  }
}
