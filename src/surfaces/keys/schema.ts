/** The admin API on the wire: what validates is also what the OpenAPI document and its page show. */
import { z } from 'zod';
import { KEY_TYPES } from '../../core/api-key.ts';
import { KEY_STATUSES } from '../../core/key-record.ts';
import { REQUESTS_MAX } from '../../core/limit.ts';
import { IF_MATCH } from './conditional.ts';
import { secondsOf } from './seconds.ts';

/** Marks a body that may be left out. */
export const OPTIONAL_BODY = 'x-optional';

const SORTS = ['created_at', '-created_at', 'name', '-name'] as const;
const PAGE_MAX = 2 ** 31 - 1;
const PAGE_SIZE_MAX = 100;
const METADATA_ENTRIES_MAX = 16;
// Longer than any key: what is longer need not be looked at.
const LOOKUP_CHARACTERS_MAX = 256;
const GRACE_SECONDS_MAX = 31_536_000; // a year
const EXPIRES_MIN = secondsOf('1971-01-01T00:00:00Z');
const EXPIRES_MAX = secondsOf('9999-12-31T23:59:59Z'); // RFC 3339 §1: years have four digits

/** Text of so many characters (not UTF-16 units), none of them a control character. */
function line(charactersMax: number): z.ZodType<string> {
  const pattern = new RegExp(`^[^\\u0000-\\u001f\\u007f-\\u009f]{1,${charactersMax}}$`, 'u');
  return z
    .string()
    .regex(pattern, `must have 1 to ${charactersMax} characters, and no control character`)
    .refine((text) => text.isWellFormed(), 'must be well-formed Unicode');
}

/** A number in a query string: digits alone, not what JavaScript would take for a number as well. */
function digits(max: number, fallback: number) {
  const number = z.int().min(1).max(max);
  return z
    .preprocess((text) => (typeof text === 'string' && /^\d+$/.test(text) ? Number(text) : text), number)
    .default(fallback);
}

const name = line(100).describe('For people; need not be unique.');
const ownLimit = z.int().min(0).max(REQUESTS_MAX);
const perMinute = ownLimit.describe('Replaces the number of the window of a minute; 0: what the policy says.');
const perDay = ownLimit.describe('Replaces the number of the window of a day; 0: what the policy says.');
const settableStatus = z.enum(['active', 'disabled']);
const EXPIRY_BOUNDS = 'must be from 1971-01-01T00:00:00Z to 9999-12-31T23:59:59Z';
const expiresAt = z.iso
  .datetime({ offset: true, error: 'expected a time such as 2027-01-31T00:00:00Z', abort: true })
  // For the document, which cannot say it of an instant: a day west of Greenwich may begin 1971.
  .regex(/^(?:1970-12-31|197[1-9]|19[89]\d|[2-9]\d{3})/, { error: EXPIRY_BOUNDS, abort: true })
  .refine((text) => secondsOf(text) >= EXPIRES_MIN && secondsOf(text) <= EXPIRES_MAX, EXPIRY_BOUNDS)
  .describe(
    'From then on the key counts as inactive. Fractions of a second are rounded up. From 1971-01-01T00:00:00Z to 9999-12-31T23:59:59Z.',
  );
const metadata = z
  .record(
    line(40),
    z
      .string()
      .regex(/^[\s\S]{0,500}$/u, 'must have at most 500 characters')
      .refine((text) => text.isWellFormed(), 'must be well-formed Unicode'),
  )
  .refine((entries) => Object.keys(entries).length <= METADATA_ENTRIES_MAX, `at most ${METADATA_ENTRIES_MAX} entries`)
  .meta({
    maxProperties: METADATA_ENTRIES_MAX,
    description: 'Whatever is to be remembered with the key. No secrets: it is shown and logged.',
  });

export const createSchema = z.strictObject({
  name,
  type: z.enum(KEY_TYPES).default('secret'),
  rate_limit_per_minute: perMinute.default(0),
  rate_limit_per_day: perDay.default(0),
  status: settableStatus.default('active'),
  expires_at: expiresAt.nullable().default(null),
  metadata: metadata.default({}),
});

export const changeSchema = z
  .strictObject({
    name,
    rate_limit_per_minute: perMinute,
    rate_limit_per_day: perDay,
    status: z.enum(KEY_STATUSES).describe('revoked is final, as DELETE makes it.'),
    expires_at: expiresAt.nullable(),
    metadata,
  })
  .partial()
  .refine((change) => Object.keys(change).length > 0, 'at least one field is required')
  .meta({ minProperties: 1 });

export const rotateSchema = z
  .strictObject({
    grace_seconds: z.int().min(0).max(GRACE_SECONDS_MAX).default(0).describe('How long the present key stays good.'),
  })
  .meta({ [OPTIONAL_BODY]: true });

export const resetSchema = z
  .strictObject({
    window: z.string().optional().describe('The name of one window; default: all.'),
    domain: z.string().optional().describe('One policy; default: all.'),
  })
  .meta({ [OPTIONAL_BODY]: true });

export const lookupSchema = z.strictObject({
  key: z.string().max(LOOKUP_CHARACTERS_MAX).describe('The key itself. It is not kept, logged or repeated.'),
});

export const limitsResetSchema = z
  .strictObject({
    address: z
      .union([z.ipv4(), z.ipv6()], 'expected an IPv4 or IPv6 address')
      .describe('Forget what wrong tokens from there have used.'),
    token: z.literal(true).describe('Forget what the presented token has used.'),
  })
  .partial()
  .refine((reset) => Object.keys(reset).length > 0, 'address or token is required')
  .meta({ minProperties: 1 });

export const pageSchema = z.strictObject({
  page: digits(PAGE_MAX, 1).describe('From 1.'),
  page_size: digits(PAGE_SIZE_MAX, 25),
});

export const listSchema = pageSchema
  .extend({
    type: z.enum(KEY_TYPES),
    status: z.enum(KEY_STATUSES),
    name: line(100).describe('With what the name begins; the keys are then sorted by name.'),
    sort: z.enum(SORTS).describe('Default: created_at, or name together with a name.'),
  })
  .partial({ type: true, status: true, name: true, sort: true });

export const idSchema = z.strictObject({ id: z.string().describe('key_ and 12 letters and digits.') });

const idempotencyKey = z
  .string()
  .regex(/^[\x21-\x7e]{1,255}$/, 'must have 1 to 255 visible characters of ASCII')
  .optional()
  .describe('The same request with the same key gets the same answer for 24 hours, the API key included.');
const ifMatch = z
  .string()
  .regex(IF_MATCH, 'expected * or entity tags such as "3"')
  .optional()
  .describe('ETags of the record, or *: changes it only if it is still at one of them.');
const ifNoneMatch = z.string().optional().describe('ETags: 304 if it is still at one of them.');

export const createHeaders = z.looseObject({ 'idempotency-key': idempotencyKey });
export const changeHeaders = z.looseObject({ 'if-match': ifMatch });
export const rotateHeaders = z.looseObject({ 'if-match': ifMatch, 'idempotency-key': idempotencyKey });
export const readHeaders = z.looseObject({ 'if-none-match': ifNoneMatch });

const instant = z.iso.datetime();

export const keySchema = z.strictObject({
  id: z.string(),
  name: z.string(),
  type: z.enum(KEY_TYPES),
  prefix: z.string().describe('csk_ or cpk_.'),
  rate_limit_per_minute: ownLimit,
  rate_limit_per_day: ownLimit,
  status: z.enum(KEY_STATUSES).describe('revoked is final.'),
  expires_at: instant.nullable(),
  created_at: instant,
  updated_at: instant,
  version: z.int().min(1).describe('One more with every change; the ETag.'),
  metadata: z.record(z.string(), z.string()),
});

const shownKey = z.string().describe('The key itself: shown this once.');

export const createdSchema = keySchema.extend({ key: shownKey });

export const rotatedSchema = createdSchema.extend({
  previous_key_expires_at: instant.nullable().describe('Until when the key before is good; null: it is no more.'),
});

function envelope<T extends z.ZodType>(item: T) {
  return z.strictObject({
    data: z.array(item),
    pagination: z.strictObject({
      page: z.int(),
      page_size: z.int(),
      total_count: z.int(),
      total_pages: z.int(),
      has_next: z.boolean(),
      has_previous: z.boolean(),
    }),
  });
}

export const keysSchema = envelope(keySchema);

const audited = z
  .unknown()
  .describe('Values of metadata that are longer than 32 characters (not bytes) are cut there and end in an ellipsis.');

export const auditSchema = envelope(
  z.strictObject({
    at: instant,
    actor: z.string().describe('token: and the fingerprint of the token that was presented.'),
    action: z.string().describe('key.created, key.changed, key.revoked, key.rotated, key.usage_reset, limits.reset.'),
    subject: z.string().describe('The id of the key, or what else was changed.'),
    before: audited,
    after: audited,
  }),
);

const windowSchema = z.strictObject({
  name: z.string(),
  seconds: z.int(),
  limit: z.int(),
  used: z.int(),
  remaining: z.int(),
  reset_seconds: z.int().describe('Seconds until the window ends, at least 1.'),
  reset_at: z.int().describe('Unix second at which the window ends.'),
});

export const usageSchema = z.strictObject({
  id: z.string(),
  policies: z
    .array(z.strictObject({ domain: z.string(), policy: z.string(), windows: z.array(windowSchema) }))
    .describe('Every limit that counts this key.'),
});

export const limitsResetAnswerSchema = z.strictObject({
  reset: z.array(z.strictObject({ limit: z.string(), value: z.string() })),
});

export const notModifiedSchema = z.null().describe('It is still what the If-None-Match says.');

export type CreateBody = z.output<typeof createSchema>;
export type ChangeBody = z.output<typeof changeSchema>;
export type ListQuery = z.output<typeof listSchema>;
