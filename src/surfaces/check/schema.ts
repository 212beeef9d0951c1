/** /v1/check on the wire: what validates is also what the OpenAPI document shows. */
import { z } from 'zod';
import { DESCRIPTORS_MAX, ENTRIES_MAX } from '../../core/descriptor.ts';

const cost = z.int().min(0);

const descriptor = z.strictObject({
  entries: z
    .array(
      z.strictObject({
        key: z.string().min(1, 'must not be empty').describe('What is told, such as api_key.'),
        value: z.string().describe('May be empty.'),
      }),
    )
    .max(ENTRIES_MAX),
  hits_addend: cost.optional().describe('The cost for this descriptor; 0 reads without charging. Default: `hits`.'),
});

export const checkRequestSchema = z.strictObject({
  domain: z
    .string()
    .min(1, 'must not be empty')
    .optional()
    .describe('Which policy; not needed with `api_key` while one policy limits keys.'),
  descriptors: z
    .array(descriptor)
    .min(1, 'must not be empty')
    .max(DESCRIPTORS_MAX)
    .optional()
    .describe('Who asks; decided together.'),
  api_key: z
    .string()
    .min(1, 'must not be empty')
    .optional()
    .describe('Short for one descriptor with the entry api_key.'),
  remote_address: z
    .string()
    .min(1, 'must not be empty')
    .optional()
    .describe('Where the request came from: keys without a record may share one counter per address.'),
  hits: cost.optional().describe('The cost of the request; 0, like leaving it out, means 1.'),
});

const windowSchema = z.strictObject({
  descriptor: z.int().describe('Which descriptor of the request it belongs to, from 0.'),
  name: z.string(),
  limit: z.int().describe('How many requests fit into the window.'),
  remaining: z.int().describe('How many are left after this request.'),
  reset_seconds: z.int().describe('Seconds until the window ends, at least 1.'),
  reset_at: z.int().describe('Unix second at which the window ends.'),
});

export const checkResponseSchema = z.strictObject({
  allowed: z.boolean(),
  reason: z
    .enum(['within_limit', 'over_limit', 'cost_exceeds_limit', 'invalid_api_key', 'no_limit', 'shadowed'])
    .describe('cost_exceeds_limit and invalid_api_key: no waiting helps. shadowed: over a limit that is not enforced.'),
  windows: z.array(windowSchema).describe('Every window of every limit that applies.'),
  headers: z.record(z.string(), z.string()).describe('Header fields for the caller.'),
  retry_after_seconds: z.int().optional().describe('Only when denied, and if waiting helps.'),
  body: z.record(z.string(), z.unknown()).optional().describe('The body for the caller; only when denied.'),
});

/** Every error of the HTTP port. */
export const errorSchema = z.strictObject({
  error: z.strictObject({
    code: z.string().describe('Stable, for programs: INVALID_REQUEST, NOT_FOUND, UNAVAILABLE …'),
    message: z.string().describe('For people.'),
    status: z.int(),
    details: z.record(z.string(), z.unknown()).describe('`field` names what is wrong.'),
  }),
});

export type CheckRequest = z.infer<typeof checkRequestSchema>;
export type CheckResponse = z.infer<typeof checkResponseSchema>;
