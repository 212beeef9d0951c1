/**
 * RateLimitRequest, from its bytes straight to the core's type: what codec.ts makes of what protobuf-es reads, without
 * the messages between. Whether a request can be decided is core/descriptor.ts's matter.
 */
import {
  DESCRIPTORS_MAX,
  type Descriptor,
  ENTRIES_MAX,
  type Entry,
  type LimitOverride,
  type LimitRequest,
} from '../../core/descriptor.ts';
import type { InvalidRequest } from '../../core/errors.ts';
import { COST_MAX } from '../../core/window.ts';
import { invalidCost, invalidUnit, UNITS } from './codec.ts';
import { WireReader } from './wire-reader.ts';

export { MalformedMessage } from './wire-reader.ts';

/**
 * @param bytes of which those from `from` to before `to` are the message
 * @throws MalformedMessage for bytes that are no such message
 * @throws InvalidRequest for what core types cannot hold
 */
export function readRateLimitRequest(bytes: Buffer, from: number, to: number): LimitRequest {
  return READER.read(bytes, from, to);
}

/** Beyond what checkRequest lets pass only the number counts: two bytes of a message must not become an object each. */
const SURPLUS_ENTRY: Entry = { key: '', value: '' };
const SURPLUS_DESCRIPTOR: Descriptor = {
  entries: [],
  hitsAddend: undefined,
  isNegativeHits: false,
  override: undefined,
};

/** As it was sent: the last unit counts, if the message comes in parts. */
interface RawOverride {
  requestsPerUnit: number;
  unit: number;
}

class RequestReader extends WireReader {
  /** The first one. Thrown at the end: a message may be malformed later, which is the graver mistake. */
  #invalid: InvalidRequest | undefined;

  read(bytes: Buffer, from: number, to: number): LimitRequest {
    this.#invalid = undefined;
    this.open(bytes, from, to);
    try {
      const request = this.#request(to);
      if (this.#invalid !== undefined) throw this.#invalid;
      return request;
    } finally {
      this.close();
    }
  }

  #request(end: number): LimitRequest {
    let domain = '';
    let hitsAddend = 0;
    const descriptors: Descriptor[] = [];
    while (this.at < end) {
      const tag = this.tag();
      switch (tag >>> 3) {
        case 1:
          domain = this.name();
          break;
        case 2: {
          const descriptor = this.#descriptor(descriptors.length);
          descriptors.push(descriptors.length < DESCRIPTORS_MAX ? descriptor : SURPLUS_DESCRIPTOR);
          break;
        }
        case 3:
          hitsAddend = this.uint32();
          break;
        default:
          this.skip(tag, 1);
      }
    }
    return { domain, descriptors, hitsAddend };
  }

  #descriptor(index: number): Descriptor {
    const end = this.messageEnd();
    const entries: Entry[] = [];
    let hitsAddend: number | undefined;
    let isNegativeHits = false;
    let override: RawOverride | undefined;
    while (this.at < end) {
      const tag = this.tag();
      switch (tag >>> 3) {
        case 1: {
          const entry = this.#entry();
          entries.push(entries.length < ENTRIES_MAX ? entry : SURPLUS_ENTRY);
          break;
        }
        case 2:
          override = this.#override(override);
          break;
        case 3:
          hitsAddend = this.#cost(hitsAddend);
          break;
        case 4:
          isNegativeHits = this.uint64() !== 0;
          break;
        default:
          this.skip(tag, 2);
      }
    }
    if (hitsAddend !== undefined && hitsAddend > COST_MAX) this.#invalid ??= invalidCost(index);
    return { entries, hitsAddend, isNegativeHits, override: override && this.#limitOverride(override, index) };
  }

  #entry(): Entry {
    const end = this.messageEnd();
    let key = '';
    let value = '';
    while (this.at < end) {
      const tag = this.tag();
      if (tag >>> 3 === 1) key = this.name();
      else if (tag >>> 3 === 2) value = this.text();
      else this.skip(tag, 3);
    }
    return { key, value };
  }

  /** google.protobuf.UInt64Value. @param before what an earlier part of it said */
  #cost(before: number | undefined): number {
    const end = this.messageEnd();
    let cost = before ?? 0;
    while (this.at < end) {
      const tag = this.tag();
      if (tag >>> 3 === 1) cost = this.uint64();
      else this.skip(tag, 3);
    }
    return cost;
  }

  /** @param before what an earlier part of it said */
  #override(before: RawOverride | undefined): RawOverride {
    const end = this.messageEnd();
    const override = before ?? { requestsPerUnit: 0, unit: 0 };
    while (this.at < end) {
      const tag = this.tag();
      if (tag >>> 3 === 1) override.requestsPerUnit = this.uint32();
      else if (tag >>> 3 === 2) override.unit = this.uint32() | 0;
      else this.skip(tag, 3);
    }
    return override;
  }

  #limitOverride({ requestsPerUnit, unit: number }: RawOverride, index: number): LimitOverride | undefined {
    const unit = UNITS[number];
    if (unit !== undefined) return { requestsPerUnit, unit };
    this.#invalid ??= invalidUnit(index, number);
    return undefined;
  }
}

/** One for all: reading never waits. */
const READER = new RequestReader();
