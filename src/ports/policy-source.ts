/** Where the policy in force comes from. */
import type { PolicySet } from '../core/policy.ts';

export interface PolicySource {
  /** The last good set, whole: a reload replaces the object, never changes it. Undefined until there was one. */
  current(): PolicySet | undefined;
}
