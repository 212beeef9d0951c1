/** Random bytes that cannot be foretold. */
import { randomBytes } from 'node:crypto';
import type { RandomBytes } from '../../core/api-key.ts';

export const secureRandom: RandomBytes = (count) => randomBytes(count);
