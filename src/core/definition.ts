/** A policy as a file writes it: types are right, meaning is not yet checked. Names are those of the file. */
import type { KeyType } from './api-key.ts';
import type { JsonObject } from './limit.ts';
import type { HeaderStyle, InactiveKeys, UnknownKeys } from './policy.ts';

export interface PolicyDefinition {
  readonly domain: string;
  readonly headers?: HeaderStyle | undefined;
  readonly descriptors?: readonly DescriptorDefinition[] | undefined;
}

export interface DescriptorDefinition {
  readonly key: string;
  readonly value?: string | undefined;
  readonly api_keys?: boolean | undefined;
  readonly unknown_keys?: UnknownKeys | undefined;
  readonly inactive_keys?: InactiveKeys | undefined;
  readonly rate_limit?: RateLimitDefinition | undefined;
  readonly limits?: readonly WindowDefinition[] | undefined;
  readonly classes?: readonly ClassDefinition[] | undefined;
  readonly overdraft?: boolean | undefined;
  readonly shadow_mode?: boolean | undefined;
  readonly quota_mode?: boolean | undefined;
  readonly detailed_metric?: boolean | undefined;
  readonly value_to_metric?: boolean | undefined;
  readonly share_threshold?: boolean | undefined;
  readonly metadata?: JsonObject | undefined;
  readonly descriptors?: readonly DescriptorDefinition[] | undefined;
}

export interface RateLimitDefinition {
  readonly unit?: string | undefined;
  readonly requests_per_unit?: number | undefined;
  readonly unlimited?: boolean | undefined;
  readonly name?: string | undefined;
  readonly replaces?: readonly { readonly name?: string | undefined }[] | undefined;
}

export interface WindowDefinition {
  readonly requests: number;
  readonly per: string;
  readonly name?: string | undefined;
}

export interface ClassDefinition {
  readonly name: string;
  readonly prefix?: string | undefined;
  readonly type?: KeyType | undefined;
  readonly limits: readonly WindowDefinition[];
}

/** From the root of a file to one of its keys. */
export type Path = readonly (string | number)[];

/** How requests meet a descriptor: its key and value joined, or its key alone. */
export function nameOf(descriptor: DescriptorDefinition): string {
  return hasValue(descriptor) ? `${descriptor.key}_${descriptor.value}` : descriptor.key;
}

/** As in envoyproxy/ratelimit, an empty value is none. */
export function hasValue({ value }: DescriptorDefinition): boolean {
  return value !== undefined && value !== '';
}
