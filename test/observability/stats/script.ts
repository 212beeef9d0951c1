/** A fixed script of requests, and the statistics that envoyproxy/ratelimit has after it: name by name, number by number. */
import { createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { RateLimitService } from '../../../src/gen/envoy/service/ratelimit/v3/rls_pb.ts';
import { Health } from '../../../src/gen/grpc/health/v1/health_pb.ts';

export const POLICY = `
domain: d
descriptors:
  - key: k
    rate_limit: { unit: year, requests_per_unit: 20 }
  - key: one
    value: two
    descriptors:
      - key: three
        descriptors:
          - key: four
            rate_limit: { unit: year, requests_per_unit: 5 }
          - key: five
            rate_limit: { unit: year, requests_per_unit: 1 }
  - key: address
    value: 10.0.0.1:80|x
    rate_limit: { unit: year, requests_per_unit: 5 }
  - key: rehearsed
    shadow_mode: true
    rate_limit: { unit: year, requests_per_unit: 2 }
  - key: several
    limits: [ { requests: 3, per: year }, { requests: 2, per: month } ]
  - key: free
`;

const SERVICE = 'ratelimit.service';
const LIMITS = `${SERVICE}.rate_limit`;

/** Every counter that is not 0 after the script. */
export const EXPECTED: Readonly<Record<string, number>> = {
  // 15, then 7 and 3 more of 20, near from 16 on.
  [`${LIMITS}.d.k.total_hits`]: 25,
  [`${LIMITS}.d.k.near_limit`]: 4,
  [`${LIMITS}.d.k.over_limit`]: 5,
  [`${LIMITS}.d.k.within_limit`]: 15,
  [`${LIMITS}.d.one_two.three.four.total_hits`]: 2,
  [`${LIMITS}.d.one_two.three.four.within_limit`]: 2,
  [`${LIMITS}.d.one_two.three.five.total_hits`]: 2,
  [`${LIMITS}.d.one_two.three.five.near_limit`]: 1,
  [`${LIMITS}.d.one_two.three.five.over_limit`]: 1,
  [`${LIMITS}.d.one_two.three.five.within_limit`]: 1,
  [`${LIMITS}.d.address_10_0_0_1_80_x.total_hits`]: 1,
  [`${LIMITS}.d.address_10_0_0_1_80_x.within_limit`]: 1,
  // 1, then 2 more of 2, near from 1 on.
  [`${LIMITS}.d.rehearsed.total_hits`]: 3,
  [`${LIMITS}.d.rehearsed.near_limit`]: 1,
  [`${LIMITS}.d.rehearsed.over_limit`]: 1,
  [`${LIMITS}.d.rehearsed.within_limit`]: 1,
  [`${LIMITS}.d.rehearsed.shadow_mode`]: 1,
  // The window that was reported: 2 a month, near from 1 on. What is denied is over in full, and charges nothing.
  [`${LIMITS}.d.several.total_hits`]: 4,
  [`${LIMITS}.d.several.near_limit`]: 1,
  [`${LIMITS}.d.several.over_limit`]: 2,
  [`${LIMITS}.d.several.within_limit`]: 2,
  [`${LIMITS}.unknown_a.domain_not_found`]: 3,
  [`${SERVICE}.call.should_rate_limit.service_error`]: 2,
  [`${SERVICE}.config_load_success`]: 1,
  'ratelimit_server.ShouldRateLimit.total_requests': 15,
  'ratelimit_server.Check.total_requests': 1,
};

/** @param grpc address of the gRPC port of a service that has just begun */
export async function playScript(grpc: string): Promise<void> {
  const transport = createGrpcTransport({ baseUrl: grpc });
  const client = createClient(RateLimitService, transport);
  const ask = (domain: string, descriptors: string[], hitsAddend = 0): Promise<unknown> =>
    client.shouldRateLimit({ domain, descriptors: descriptors.map(descriptorOf), hitsAddend }).catch(() => undefined);
  for (const hits of [15, 7, 3]) await ask('d', ['k=v'], hits);
  for (let call = 0; call < 2; call++) await ask('d', ['one=two three= four=a', 'one=two three=x five=b', 'free=x']);
  await ask('d', ['address=10.0.0.1:80|x']);
  for (const hits of [1, 2]) await ask('d', ['rehearsed=x'], hits);
  for (let call = 0; call < 4; call++) await ask('d', ['several=x']);
  await ask('unknown:a', ['k=v', 'k=v', 'x=y']);
  await ask('', ['k=v']);
  await ask('d', []);
  await createClient(Health, transport).check({ service: '' });
}

/** `one=two three=`: two entries, the second of which has no value. */
function descriptorOf(text: string) {
  return {
    entries: text.split(' ').map((entry) => ({ key: entry.split('=')[0] ?? '', value: entry.split('=')[1] ?? '' })),
  };
}
