/** What a policy file may contain: keys and types. Files are read by it, and the published JSON Schema is generated from it. */
import { KEY_TYPES } from '../../core/api-key.ts';
import type {
  ClassDefinition,
  DescriptorDefinition,
  PolicyDefinition,
  RateLimitDefinition,
  WindowDefinition,
} from '../../core/definition.ts';
import { REQUESTS_MAX } from '../../core/limit.ts';

export type Type =
  /** What is written, however it looks: `value: 010` is the text 010, `headers: off` the text off. */
  | { readonly type: 'text'; readonly lengthMin?: number; readonly lengthMax?: number; readonly pattern?: Pattern }
  | { readonly type: 'enum'; readonly words: readonly string[] }
  | { readonly type: 'flag' }
  | { readonly type: 'count'; readonly max: number }
  | { readonly type: 'map'; readonly shape: () => Shape }
  | { readonly type: 'list'; readonly shape: () => Shape; readonly itemsMin?: number; readonly itemsMax?: number }
  /** A map of anything that JSON can say. */
  | { readonly type: 'free' };

interface Pattern {
  readonly matches: RegExp;
  readonly otherwise: string;
}

export type Key = Type & { readonly description?: string; readonly isRequired?: boolean };

export interface Shape {
  readonly keys: ReadonlyMap<string, Key>;
  readonly required: readonly string[];
  /** Of envoyproxy/ratelimit's format: its keys are accepted at any place there, and mean nothing at a wrong one. */
  readonly isReference: boolean;
}

/** Each key of a definition, so that none is forgotten here. */
type Keys<Definition> = Readonly<Record<keyof Required<Definition>, Key>>;

function shape<Definition>(keys: Keys<Definition>, isReference: boolean): Shape {
  const entries = Object.entries<Key>(keys);
  const required = entries.filter(([, key]) => key.isRequired).map(([name]) => name);
  return { keys: new Map(entries), required, isReference };
}

const windows: Type = { type: 'list', shape: () => WINDOW, itemsMin: 1, itemsMax: 16 };
const flag: Type = { type: 'flag' };
const text: Type = { type: 'text' };
const requests: Type = { type: 'count', max: REQUESTS_MAX };

const WINDOW: Shape = shape<WindowDefinition>(
  {
    requests: {
      ...requests,
      isRequired: true,
      description: 'How many requests fit into the window; 0 lets none pass.',
    },
    per: {
      ...text,
      isRequired: true,
      description: 'second, minute, hour, day, week, month, year, or a duration: 90s 5m 12h 7d.',
    },
    name: {
      ...text,
      pattern: {
        matches: /^[\x20-\x7e]{1,64}$/,
        otherwise: 'a window is named by 1 to 64 printable ASCII characters',
      },
      description: 'How headers and answers call the window; the unit or the duration unless given.',
    },
  },
  false,
);

const CLASS: Shape = shape<ClassDefinition>(
  {
    name: { ...text, isRequired: true, lengthMin: 1, lengthMax: 64 },
    prefix: { ...text, description: 'Keys that begin so; the first class that fits applies.' },
    type: {
      type: 'enum',
      words: KEY_TYPES,
      description: 'In place of prefix: keys whose record is of this type.',
    },
    limits: { ...windows, isRequired: true },
  },
  false,
);

const REPLACED: Shape = shape<{ name?: string }>({ name: { ...text, description: 'The name of a limit.' } }, true);

const RATE_LIMIT: Shape = shape<RateLimitDefinition>(
  {
    unit: { ...text, description: 'second, minute, hour, day, week, month or year; none beside unlimited.' },
    requests_per_unit: {
      ...requests,
      description: 'How many requests fit into the unit; 0, the default, lets none pass.',
    },
    unlimited: { ...flag, description: 'Never counted, always allowed.' },
    name: { ...text, description: 'Told as current_limit.name; what `replaces` of other limits refers to.' },
    replaces: {
      type: 'list',
      shape: () => REPLACED,
      description: 'Limits of these names do not count where this one applies in the same call.',
    },
  },
  true,
);

const DESCRIPTOR: Shape = shape<DescriptorDefinition>(
  {
    key: { ...text, isRequired: true, description: 'The entry’s key.' },
    value: {
      ...text,
      description: 'The entry’s value, * standing for any characters; without it the rule holds for every other value.',
    },
    api_keys: { ...flag, description: 'The value is an API key: a secret, hashed on arrival.' },
    unknown_keys: {
      type: 'enum',
      words: ['default', 'deny', 'share'],
      description:
        'Keys without a record: limited by the class of their prefix, denied, or counted as one per address.',
    },
    inactive_keys: {
      type: 'enum',
      words: ['default', 'deny', 'error'],
      description:
        'Keys that are disabled, revoked, expired or rotated away: limited by the class, denied (the default), or an error.',
    },
    limits: { ...windows, description: 'Windows that are charged all or none; no two of one length.' },
    classes: {
      type: 'list',
      shape: () => CLASS,
      itemsMax: 64,
      description: 'Limits that replace `limits` for keys of a kind.',
    },
    rate_limit: {
      type: 'map',
      shape: () => RATE_LIMIT,
      description: 'One window that counts denied requests, too, as envoyproxy/ratelimit does.',
    },
    overdraft: { ...flag, description: 'Charges are recorded in full even where they exceed.' },
    shadow_mode: { ...flag, description: 'Counted and reported, never enforced.' },
    quota_mode: { ...flag, description: 'Denies a call only together with every other limit in quota mode.' },
    detailed_metric: { ...flag, description: 'Statistics by the values of all entries.' },
    value_to_metric: { ...flag, description: 'Statistics by the value of this entry.' },
    share_threshold: { ...flag, description: 'All values that meet the wildcard share one counter.' },
    metadata: { type: 'free', description: 'Returned as dynamic metadata.' },
    descriptors: { type: 'list', shape: () => DESCRIPTOR, description: 'Rules for the next entry.' },
  },
  true,
);

/** The root of a file. */
export const ROOT: Shape = shape<PolicyDefinition>(
  {
    domain: { ...text, isRequired: true, description: 'The domain that gateways name in their requests.' },
    headers: {
      type: 'enum',
      words: ['documented', 'ietf', 'reference', 'off'],
      description: 'The style of response headers; `documented` where `limits` are used, else `reference`.',
    },
    descriptors: { type: 'list', shape: () => DESCRIPTOR },
  },
  true,
);

/** Keys of envoyproxy/ratelimit's format, which it accepts everywhere. */
export const REFERENCE_KEYS: ReadonlySet<string> = new Set([
  'domain',
  'key',
  'value',
  'descriptors',
  'rate_limit',
  'unit',
  'requests_per_unit',
  'unlimited',
  'shadow_mode',
  'quota_mode',
  'name',
  'replaces',
  'detailed_metric',
  'value_to_metric',
  'share_threshold',
  'metadata',
]);
