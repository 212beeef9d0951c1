/** The admin API's own limits: a domain of its own, which the doors for decisions do not know. */
import { compilePolicy } from '../core/compile-policy.ts';
import type { DomainPolicy, PolicySet } from '../core/policy.ts';
import type { PolicySource } from '../ports/policy-source.ts';

export const ADMIN_DOMAIN = 'headroom_admin';
/** Entry of a right token; its value is the token's fingerprint. */
export const ADMIN_TOKEN = 'admin_token';
/** Entry of whoever presents a wrong one; its value is an address. */
export const ADMIN_ADDRESS = 'admin_address';

/** In force unless the policy files define the domain themselves. */
const BUILT_IN: DomainPolicy = compilePolicy({
  domain: ADMIN_DOMAIN,
  descriptors: [
    { key: ADMIN_TOKEN, limits: [{ requests: 6_000, per: 'minute' }] },
    { key: ADMIN_ADDRESS, limits: [{ requests: 20, per: 'minute' }] },
  ],
});

/** Only the domain of the admin API. */
export function adminPolicies(files: PolicySource): PolicySource {
  return derived(files, (all) => new Map([[ADMIN_DOMAIN, all?.get(ADMIN_DOMAIN) ?? BUILT_IN]]));
}

/**
 * Every domain but that of the admin API: a caller of the doors for decisions could otherwise use up an operator's limit,
 * or give itself back what wrong tokens have cost it.
 */
export function decisionPolicies(files: PolicySource): PolicySource {
  return derived(files, (all) => all && new Map([...all].filter(([domain]) => domain !== ADMIN_DOMAIN)));
}

/** Derives once for every set: a decision asks for it each time. */
function derived(files: PolicySource, derive: (all: PolicySet | undefined) => PolicySet | undefined): PolicySource {
  let from = files.current();
  let set = derive(from);
  return {
    current() {
      const now = files.current();
      if (now !== from) {
        from = now;
        set = derive(now);
      }
      return set;
    },
  };
}
