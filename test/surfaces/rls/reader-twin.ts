/** What protobuf-es and codec.ts make of the bytes of a request, and what the reader does, in one form. */
import { deepStrictEqual } from 'node:assert/strict';
import { fromBinary } from '@bufbuild/protobuf';
import type { LimitRequest } from '../../../src/core/descriptor.ts';
import { InvalidRequest } from '../../../src/core/errors.ts';
import { type RateLimitRequest, RateLimitRequestSchema } from '../../../src/gen/envoy/service/ratelimit/v3/rls_pb.ts';
import { acceptAnyBytes } from '../../../src/surfaces/rls/any-bytes.ts';
import { fromProto } from '../../../src/surfaces/rls/codec.ts';
import { MalformedMessage, readRateLimitRequest } from '../../../src/surfaces/rls/request-reader.ts';

acceptAnyBytes();

const BYTES_BEFORE = 3;
const BYTES_BEHIND = 16;

export type Outcome = LimitRequest | 'malformed' | { readonly invalid: string; readonly message: string };

/** The message stands among other bytes, which must not matter: neither those that end a varint, nor those that go on. */
export function byHand(message: Uint8Array): Outcome {
  const [outcome, other] = [0x00, 0xff].map((around) => {
    const bytes = Buffer.alloc(BYTES_BEFORE + message.length + BYTES_BEHIND, around);
    bytes.set(message, BYTES_BEFORE);
    return outcomeOf(() => readRateLimitRequest(bytes, BYTES_BEFORE, BYTES_BEFORE + message.length));
  });
  deepStrictEqual(outcome, other);
  return outcome as Outcome;
}

export function byTwin(message: Uint8Array): Outcome {
  let request: RateLimitRequest;
  try {
    request = fromBinary(RateLimitRequestSchema, message);
  } catch {
    return 'malformed';
  }
  return outcomeOf(() => plain(fromProto(request)));
}

/** protobuf-es's entries carry the name of their type, and fields that nobody knows. */
function plain(request: LimitRequest): LimitRequest {
  const descriptors = request.descriptors.map((descriptor) => ({
    ...descriptor,
    entries: descriptor.entries.map(({ key, value }) => ({ key, value })),
  }));
  return { ...request, descriptors };
}

function outcomeOf(read: () => LimitRequest): Outcome {
  try {
    return read();
  } catch (error) {
    if (error instanceof MalformedMessage) return 'malformed';
    if (error instanceof InvalidRequest) return { invalid: error.field, message: error.message };
    throw error;
  }
}
