/** Reads an answer just far enough to know that it is whole and what it says; decoding it all would cost the client more than asking. */

export interface BenchAnswer {
  /** 1: OK, 2: OVER_LIMIT. */
  readonly code: number;
  readonly statuses: number;
  readonly headers: number;
}

// Tags (field number << 3 | wire type) of RateLimitResponse, as far as Headroom sends its fields.
const OVERALL_CODE = 0x08;
const STATUSES = 0x12;
const RESPONSE_HEADERS = 0x1a;
const RAW_BODY = 0x2a;

/** @returns undefined unless the bytes between `from` and `to` are exactly one uncompressed gRPC frame around one RateLimitResponse */
export function readAnswer(bytes: Buffer, from: number, to: number): BenchAnswer | undefined {
  const messageFrom = from + 5;
  if (to < messageFrom || bytes[from] !== 0 || bytes.readUInt32BE(from + 1) !== to - messageFrom) return undefined;
  let code = 0;
  let statuses = 0;
  let headers = 0;
  let at = messageFrom;
  while (at < to) {
    const tag = bytes[at] as number;
    let value = bytes[at + 1] as number;
    at += 2;
    if (value >= 0x80) {
      // Two bytes of varint: no field of these answers is longer than 16,383 bytes.
      value = (value & 0x7f) | ((bytes[at] as number) << 7);
      at += 1;
    }
    if (tag === OVERALL_CODE) code = value;
    else if (tag === STATUSES) statuses += 1;
    else if (tag === RESPONSE_HEADERS) headers += 1;
    else if (tag !== RAW_BODY) return undefined;
    if (tag !== OVERALL_CODE) at += value;
  }
  return at === to ? { code, statuses, headers } : undefined;
}
