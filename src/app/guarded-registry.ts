/** The registry within the deadline and behind the breaker of the store that holds it. */
import type { KeyRegistry } from '../ports/key-registry.ts';
import type { StoreGuard } from './store-guard.ts';

/** Every method fails with Undecidable, and by its deadline. */
export function guardedRegistry(registry: KeyRegistry, guard: Pick<StoreGuard, 'ask'>): KeyRegistry {
  return {
    find: (id) => guard.ask(() => registry.find(id)),
    write: (write) => guard.ask(() => registry.write(write)),
    list: (query) => guard.ask(() => registry.list(query)),
    replyOf: (name) => guard.ask(() => registry.replyOf(name)),
    addAudit: (entry) => guard.ask(() => registry.addAudit(entry)),
    audit: (page, pageSize) => guard.ask(() => registry.audit(page, pageSize)),
  };
}
