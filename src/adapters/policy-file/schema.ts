/** What a policy file may contain: keys and types. The published JSON Schema is generated from here. */
import { z } from 'zod';
import { KEY_TYPES } from '../../core/api-key.ts';
import type { DescriptorDefinition, PolicyDefinition } from '../../core/definition.ts';
import { REQUESTS_MAX } from '../../core/limit.ts';

const windowName = z
  .string()
  .regex(/^[\x20-\x7e]{1,64}$/, 'a window is named by 1 to 64 printable ASCII characters')
  .describe('How headers and answers call the window; the unit or the duration unless given.');

const requests = z.int().min(0).max(REQUESTS_MAX);

const windows = z
  .array(
    z.strictObject({
      requests: requests.describe('How many requests fit into the window; 0 lets none pass.'),
      per: z.string().describe('second, minute, hour, day, week, month, year, or a duration: 90s 5m 12h 7d.'),
      name: windowName.optional(),
    }),
  )
  .min(1)
  .max(16)
  .describe('Windows that are charged all or none; no two of one length.');

const rateLimit = z
  .strictObject({
    unit: z.string().describe('second, minute, hour, day, week, month or year.'),
    requests_per_unit: requests
      .optional()
      .describe('How many requests fit into the unit; 0, the default, lets none pass.'),
    name: windowName.optional(),
  })
  .describe('One window that counts denied requests, too, as envoyproxy/ratelimit does.');

const keyClass = z.strictObject({
  name: z.string().min(1).max(64),
  prefix: z.string().optional().describe('Keys that begin so; the first class that fits applies.'),
  type: z.enum(KEY_TYPES).optional().describe('In place of prefix: keys whose record is of this type.'),
  limits: windows,
});

const descriptor: z.ZodType<DescriptorDefinition> = z.strictObject(
  {
    key: z
      .string({ error: ({ input }) => (input === undefined ? 'descriptor has empty key' : undefined) })
      .describe('The entry’s key.'),
    value: z
      .string({ error: ({ input }) => (typeof input === 'number' ? 'error checking config' : undefined) })
      .optional()
      .describe('The entry’s value; without it the rule holds for every other value.'),
    api_keys: z.boolean().optional().describe('The value is an API key: a secret, hashed on arrival.'),
    unknown_keys: z
      .enum(['default', 'deny', 'share'])
      .optional()
      .describe('Keys without a record: limited by the class of their prefix, denied, or counted as one per address.'),
    inactive_keys: z
      .enum(['default', 'deny', 'error'])
      .optional()
      .describe(
        'Keys that are disabled, revoked, expired or rotated away: limited by the class, denied (the default), or an error.',
      ),
    limits: windows.optional(),
    classes: z.array(keyClass).max(64).optional().describe('Limits that replace `limits` for keys of a kind.'),
    rate_limit: rateLimit.optional(),
    overdraft: z.boolean().optional().describe('Charges are recorded in full even where they exceed.'),
    shadow_mode: z.boolean().optional().describe('Counted and reported, never enforced.'),
    get descriptors() {
      return z.array(descriptor).optional().describe('Rules for the next entry.');
    },
  },
  {
    error: (issue) =>
      issue.code === 'invalid_type'
        ? `config error, yaml file contains list of type other than map: ${String(issue.input)}`
        : undefined,
  },
);

/** The root of a file. */
export const policySchema: z.ZodType<PolicyDefinition> = z
  .strictObject({
    domain: z
      .string({ error: ({ input }) => (input === undefined ? 'config file cannot have empty domain' : undefined) })
      .describe('The domain that gateways name in their requests.'),
    headers: z
      .enum(['documented', 'ietf', 'reference', 'off'])
      .optional()
      .describe('The style of response headers; `documented` where `limits` are used, else `reference`.'),
    descriptors: z.array(descriptor).optional(),
  })
  .meta({ title: 'Headroom policy file' });

/** Keys whose values are text however they look: `value: 010` means the text 010, and `headers: off` the text off. */
export const TEXT_KEYS: ReadonlySet<string> = new Set([
  'domain',
  'key',
  'value',
  'name',
  'per',
  'prefix',
  'unit',
  'headers',
]);
