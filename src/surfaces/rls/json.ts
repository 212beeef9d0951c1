/** /json: ShouldRateLimit in proto3 JSON, as the reference serves it. */
import { fromJson, type JsonValue, toJsonString } from '@bufbuild/protobuf';
import type { Call, Limiter } from '../../app/limiter.ts';
import { InvalidRequest } from '../../core/errors.ts';
import {
  RateLimitRequestSchema,
  RateLimitResponse_Code,
  RateLimitResponseSchema,
} from '../../gen/envoy/service/ratelimit/v3/rls_pb.ts';
import { shouldRateLimit } from './service.ts';

/** @returns status 200 or 429 with the response @throws InvalidRequest for what is no such request, Undecidable */
export async function jsonRateLimit(
  limiter: Limiter,
  body: string,
  call: Call,
): Promise<{ status: 200 | 429; body: string }> {
  const response = await shouldRateLimit(limiter, parse(body), call);
  const status = response.overallCode === RateLimitResponse_Code.OVER_LIMIT ? 429 : 200;
  return { status, body: toJsonString(RateLimitResponseSchema, response) };
}

function parse(body: string) {
  const json = parseJson(body);
  try {
    return fromJson(RateLimitRequestSchema, json);
  } catch (error) {
    throw new InvalidRequest('body', withoutContent((error as Error).message));
  }
}

function parseJson(body: string): JsonValue {
  try {
    return JSON.parse(body) as JsonValue;
  } catch {
    // The parser's message would quote the body, which may hold a key.
    throw new InvalidRequest('body', 'the body is not valid JSON');
  }
}

/** Text that was found where something else belongs may be an API key; names of fields stay. */
function withoutContent(message: string): string {
  return message.replace(/(?<!key )".*"/s, '"…"');
}
