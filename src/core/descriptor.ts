/** What a gateway says of a request, and whether it can be decided at all. */
import { InvalidRequest } from './errors.ts';
import type { Unit } from './limit.ts';
import { REQUESTS_MAX } from './limit.ts';
import { COST_MAX } from './window.ts';

export interface Entry {
  readonly key: string;
  /** May be empty; an empty value is a value like any other. Bytes that are not UTF-8 stand as U+DC00 + byte. */
  readonly value: string;
}

/** One window that replaces the policy's for this descriptor. */
export interface LimitOverride {
  readonly requestsPerUnit: number;
  readonly unit: Unit;
}

export interface Descriptor {
  readonly entries: readonly Entry[];
  /** Absent: the request's. 0: read, charge nothing. */
  readonly hitsAddend?: number | undefined;
  /** The cost is given back. */
  readonly isNegativeHits: boolean;
  readonly override?: LimitOverride | undefined;
}

export interface LimitRequest {
  readonly domain: string;
  readonly descriptors: readonly Descriptor[];
  /** The cost for every descriptor without its own; 0 means 1. */
  readonly hitsAddend: number;
  /** Where the request came from, if the door knows; otherwise an entry `remote_address` says it. */
  readonly callerAddress?: string | undefined;
}

// Far above what gateways send; beyond, a caller's bug would cost everybody's latency.
export const DESCRIPTORS_MAX = 4_096;
export const ENTRIES_MAX = 64;
export const TEXT_BYTES_MAX = 8_192;

/**
 * Refuses what no policy could decide. The first two messages are those of envoyproxy/ratelimit.
 * @throws InvalidRequest naming the field
 */
export function checkRequest(request: LimitRequest): void {
  if (request.domain === '') throw new InvalidRequest('domain', 'rate limit domain must not be empty');
  if (!isShortText(request.domain)) checkText('domain', request.domain);
  checkCost('hits_addend', request.hitsAddend);
  if (request.callerAddress !== undefined) checkText('remote_address', request.callerAddress);
  const { descriptors } = request;
  if (descriptors.length === 0) {
    throw new InvalidRequest('descriptors', 'rate limit descriptor list must not be empty');
  }
  if (descriptors.length > DESCRIPTORS_MAX) {
    throw new InvalidRequest('descriptors', `descriptors: at most ${DESCRIPTORS_MAX}, got ${descriptors.length}`);
  }
  for (let index = 0; index < descriptors.length; index++) checkDescriptor(descriptors[index] as Descriptor, index);
}

function checkDescriptor(descriptor: Descriptor, index: number): void {
  const { entries, hitsAddend, override } = descriptor;
  if (entries.length > ENTRIES_MAX) {
    const field = `descriptors[${index}].entries`;
    throw new InvalidRequest(field, `${field}: at most ${ENTRIES_MAX}, got ${entries.length}`);
  }
  for (let at = 0; at < entries.length; at++) {
    const { key, value } = entries[at] as Entry;
    if (!isShortText(key)) checkText(`descriptors[${index}].entries[${at}].key`, key);
    if (!isShortText(value)) checkText(`descriptors[${index}].entries[${at}].value`, value);
  }
  if (hitsAddend !== undefined) checkCost(`descriptors[${index}].hits_addend`, hitsAddend);
  if (override !== undefined && !isCount(override.requestsPerUnit, REQUESTS_MAX)) {
    const field = `descriptors[${index}].limit.requests_per_unit`;
    throw new InvalidRequest(field, `${field} must be an integer from 0 to ${REQUESTS_MAX}`);
  }
}

/** The cheap test that nearly every text passes: no UTF-16 unit takes more than three bytes of UTF-8. */
function isShortText(text: string): boolean {
  return text.length * 3 <= TEXT_BYTES_MAX && text.isWellFormed();
}

/**
 * Lone surrogates that no door makes. Those left out, U+DC80 … U+DCFF, stand for the bytes 0x80 … 0xFF of a value that
 * is not UTF-8: values may hold any bytes.
 */
const NO_TEXT = /[\ud800-\udc7f\udd00-\udfff]/u;

function checkText(field: string, text: string): void {
  if (NO_TEXT.test(text)) throw new InvalidRequest(field, `${field} is not well-formed Unicode`);
  const bytes = utf8Bytes(text);
  if (bytes > TEXT_BYTES_MAX) {
    throw new InvalidRequest(field, `${field}: at most ${TEXT_BYTES_MAX} bytes, got ${bytes}`);
  }
}

function checkCost(field: string, cost: number): void {
  if (!isCount(cost, COST_MAX)) throw new InvalidRequest(field, `${field} must be an integer from 0 to ${COST_MAX}`);
}

function isCount(value: number, max: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= max;
}

function utf8Bytes(text: string): number {
  let bytes = 0;
  for (const character of text) {
    const code = character.codePointAt(0) as number;
    const isOneByte = code < 0x80 || (code >= 0xdc80 && code <= 0xdcff);
    bytes += isOneByte ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  }
  return bytes;
}
