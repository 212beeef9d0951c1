/** Every environment variable that Headroom itself reads, by area: parser, types and documentation are made from this. */

import { DECIDING, MEMORY, REDIS, REDIS_PER_SECOND } from './variables-counting.ts';
import { KEYS, LISTENING, LOGGING, POLICIES, PROCESSES, STATS, STOPPING, TRACING } from './variables-serving.ts';

/** In the order of the documentation. */
export const AREAS = {
  Policies: POLICIES,
  Ports: LISTENING,
  Processes: PROCESSES,
  Log: LOGGING,
  Counters: MEMORY,
  Redis: REDIS,
  'A second Redis for limits per second': REDIS_PER_SECOND,
  Decisions: DECIDING,
  'API keys': KEYS,
  Statistics: STATS,
  Tracing: TRACING,
  Stopping: STOPPING,
} as const;

export const VARIABLES = {
  ...POLICIES,
  ...LISTENING,
  ...PROCESSES,
  ...LOGGING,
  ...MEMORY,
  ...REDIS,
  ...REDIS_PER_SECOND,
  ...DECIDING,
  ...KEYS,
  ...STATS,
  ...TRACING,
  ...STOPPING,
} as const;

export type VariableName = keyof typeof VARIABLES;
