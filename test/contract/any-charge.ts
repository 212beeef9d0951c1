/** Every way in which a hit may be charged and deny, for property tests. */
import fc from 'fast-check';
import type { Charging, Denies } from '../../src/core/hit.ts';

export const anyCharging: fc.Arbitrary<Charging> = fc.constantFrom('together', 'always', 'stop');
export const anyDenies: fc.Arbitrary<Denies> = fc.constantFrom('alone', 'jointly', 'never');
