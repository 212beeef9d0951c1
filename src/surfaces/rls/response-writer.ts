/**
 * RateLimitResponse, from a decision straight to its bytes: what protobuf-es writes of what codec.ts makes, without the
 * messages between, byte for byte.
 */
import { create, type JsonObject as ProtoJsonObject, toBinary } from '@bufbuild/protobuf';
import type { Decided } from '../../app/limiter.ts';
import { isOverLimit, type Status, type WindowReading } from '../../core/decision.ts';
import type { Header } from '../../core/headers.ts';
import { type JsonObject, REQUESTS_MAX, type Window } from '../../core/limit.ts';
import {
  RateLimitResponse_Code as Code,
  RateLimitResponseSchema,
} from '../../gen/envoy/service/ratelimit/v3/rls_pb.ts';
import { isTyped, UNIT_NUMBERS } from './codec.ts';
import type { WriteBuffer } from './h2/write-buffer.ts';
import { closeMessage, putText, putVarint, TEXT_HEAD_BYTES_MAX, UTF8_BYTES_MAX } from './wire-writer.ts';

/** Field number × 8 + wire type: 0 for numbers, 2 for texts and messages. */
const OVERALL_CODE = 0x08;
const STATUS = 0x12;
const STATUS_CODE = 0x08;
const STATUS_LIMIT = 0x12;
const LIMIT_REQUESTS = 0x08;
const LIMIT_UNIT = 0x10;
const LIMIT_NAME = 0x1a;
const STATUS_REMAINING = 0x18;
const STATUS_RESET = 0x22;
const DURATION_SECONDS = 0x08;
const HEADER = 0x1a;
const HEADER_KEY = 0x0a;
const HEADER_VALUE = 0x12;
const RAW_BODY = 0x2a;

/** What a status takes besides its window's name: the heads of two messages, a code, three numbers, a unit. */
const STATUS_BYTES_MAX = 64;
/** The heads of a message and of two texts. */
const HEADER_BYTES_MAX = 3 * TEXT_HEAD_BYTES_MAX;
const OVERALL_CODE_BYTES = 2;

/** Appends the message, without a prefix. */
export function writeRateLimitResponse({ decision, answer, metadata }: Decided, out: WriteBuffer): void {
  const { statuses, nowSeconds } = decision;
  const body = answer.body !== undefined && isTyped(answer) ? answer.body : '';
  out.reserve(OVERALL_CODE_BYTES + statusesBytesMax(statuses) + headersBytesMax(answer.headers) + textBytesMax(body));
  const { bytes } = out;
  let at = out.length;
  bytes[at++] = OVERALL_CODE;
  bytes[at++] = decision.allowed ? Code.OK : Code.OVER_LIMIT;
  for (let index = 0; index < statuses.length; index++)
    at = putStatus(bytes, at, statuses[index] as Status, nowSeconds);
  for (let index = 0; index < answer.headers.length; index++)
    at = putHeader(bytes, at, answer.headers[index] as Header, index);
  if (body !== '') at = putText(bytes, at, RAW_BODY, body);
  out.length = at;
  if (metadata !== undefined) out.append(metadataBytes(metadata));
}

function putStatus(bytes: Buffer, from: number, status: Status, nowSeconds: number): number {
  let at = from;
  bytes[at++] = STATUS;
  const begin = ++at; // the length stands before it
  bytes[at++] = STATUS_CODE;
  bytes[at++] = isOverLimit(status) ? Code.OVER_LIMIT : Code.OK;
  if (status.limit?.unlimited === true) at = putNumber(bytes, at, STATUS_REMAINING, REQUESTS_MAX);
  else if (status.reported !== undefined) at = putReading(bytes, at, status.reported, nowSeconds);
  return closeMessage(bytes, begin, at);
}

function putReading(bytes: Buffer, from: number, reading: WindowReading, nowSeconds: number): number {
  let at = putLimit(bytes, from, reading.window);
  at = putNumber(bytes, at, STATUS_REMAINING, reading.remaining);
  bytes[at++] = STATUS_RESET;
  const begin = ++at;
  at = putNumber(bytes, at, DURATION_SECONDS, reading.endsAt - nowSeconds);
  return closeMessage(bytes, begin, at);
}

function putLimit(bytes: Buffer, from: number, { max, unit, name }: Window): number {
  let at = from;
  bytes[at++] = STATUS_LIMIT;
  const begin = ++at;
  at = putNumber(bytes, at, LIMIT_REQUESTS, max);
  if (unit !== undefined) at = putNumber(bytes, at, LIMIT_UNIT, UNIT_NUMBERS[unit]);
  if (name !== '') at = putText(bytes, at, LIMIT_NAME, name);
  return closeMessage(bytes, begin, at);
}

/**
 * At each place of the list, what was written there last. The next answer nearly always has the same there, but for what
 * remains: to compare two texts and copy bytes is a fraction of encoding them.
 */
interface WrittenHeader {
  name: string;
  value: string;
  /** Undefined until the same has come twice: what differs each time is not worth to be kept. */
  bytes: Uint8Array | undefined;
}

const PLACES = 16; // more than any style has
const KEPT_CHARS_MAX = 256;
const written: WrittenHeader[] = Array.from({ length: PLACES }, () => ({ name: '', value: '', bytes: undefined }));

function putHeader(bytes: Buffer, from: number, header: Header, place: number): number {
  const last = written[place];
  if (last === undefined) return encodeHeader(bytes, from, header);
  const [name, value] = header;
  if (last.value !== value || last.name !== name) {
    last.name = name;
    last.value = value;
    last.bytes = undefined;
    return encodeHeader(bytes, from, header);
  }
  if (last.bytes !== undefined) {
    bytes.set(last.bytes, from);
    return from + last.bytes.length;
  }
  const end = encodeHeader(bytes, from, header);
  if (end - from <= KEPT_CHARS_MAX) last.bytes = new Uint8Array(bytes.subarray(from, end));
  return end;
}

function encodeHeader(bytes: Buffer, from: number, [name, value]: Header): number {
  let at = from;
  bytes[at++] = HEADER;
  const begin = ++at;
  if (name !== '') at = putText(bytes, at, HEADER_KEY, name);
  if (value !== '') at = putText(bytes, at, HEADER_VALUE, value);
  return closeMessage(bytes, begin, at);
}

/** Zero is what a reader takes for what is not there. */
function putNumber(bytes: Buffer, from: number, tag: number, value: number): number {
  if (value === 0) return from;
  bytes[from] = tag;
  return putVarint(bytes, from + 1, value);
}

/** Rare, and of any shape: protobuf-es writes it. It is the last field, and may stand behind the others. */
function metadataBytes(metadata: JsonObject): Uint8Array {
  const response = create(RateLimitResponseSchema, { dynamicMetadata: metadata as ProtoJsonObject });
  return toBinary(RateLimitResponseSchema, response);
}

function statusesBytesMax(statuses: readonly Status[]): number {
  let count = 0;
  for (let index = 0; index < statuses.length; index++) {
    const { reported } = statuses[index] as Status;
    count += STATUS_BYTES_MAX + (reported === undefined ? 0 : textBytesMax(reported.window.name));
  }
  return count;
}

function headersBytesMax(headers: readonly Header[]): number {
  let count = 0;
  for (let index = 0; index < headers.length; index++) {
    const [name, value] = headers[index] as Header;
    count += HEADER_BYTES_MAX + UTF8_BYTES_MAX * (name.length + value.length);
  }
  return count;
}

function textBytesMax(text: string): number {
  return TEXT_HEAD_BYTES_MAX + UTF8_BYTES_MAX * text.length;
}
