/** Puts the admin API together. */
import { adminTokens } from '../adapters/node-crypto/admin-tokens.ts';
import { secureRandom } from '../adapters/node-crypto/random.ts';
import { systemClock } from '../adapters/system-clock/system-clock.ts';
import { AdminGate } from '../app/admin-gate.ts';
import { adminPolicies } from '../app/admin-policy.ts';
import { Audit } from '../app/audit.ts';
import { guardedRegistry } from '../app/guarded-registry.ts';
import { KeyAdmin } from '../app/key-admin.ts';
import { KeyUsage } from '../app/key-usage.ts';
import { Limiter, type LimiterOptions } from '../app/limiter.ts';
import type { StoreGuard } from '../app/store-guard.ts';
import type { Config } from '../config/config.ts';
import type { Log } from '../ports/log.ts';
import type { PolicySource } from '../ports/policy-source.ts';
import type { AdminApi } from '../surfaces/keys/routes.ts';
import type { Stores } from './stores.ts';

export interface AdminParts {
  readonly config: Config;
  readonly log: Log;
  /** All of them, those of the admin API included. */
  readonly files: PolicySource;
  /** What decisions are made by. The admin API's own limits go by their policy alone. */
  readonly deciding: LimiterOptions;
  readonly guard: StoreGuard;
  readonly stores: Stores;
}

export function adminApi({ config, log, files, deciding, guard, stores }: AdminParts): AdminApi {
  const { policies, hasher } = deciding;
  const registry = guardedRegistry(stores.registry, guard);
  const audit = new Audit({ registry, clock: systemClock, log });
  const keys = new KeyAdmin({ registry, audit, clock: systemClock, random: secureRandom, hasher });
  return {
    gate: new AdminGate({
      tokens: adminTokens(config.adminTokens),
      limiter: new Limiter({ ...deciding, policies: adminPolicies(files) }),
    }),
    keys,
    usage: new KeyUsage({ keys, audit, policies, guard, counters: stores.counters }),
    audit,
  };
}
