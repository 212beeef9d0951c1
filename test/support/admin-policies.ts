/** Policies for tests of the admin API: windows of a year, so that no test meets the end of one. */

/** Limits a key by minute, day and year. */
export const SHOP = `
domain: shop
descriptors:
  - key: api_key
    api_keys: true
    limits:
      - { requests: 50, per: day }
      - { requests: 500, per: year }
    classes:
      - { name: publishable, prefix: cpk_, limits: [ { requests: 7, per: year } ] }
`;

/** @param token requests a year with a right token @param address wrong tokens a year from an address */
export function adminPolicy(token: number, address: number): string {
  return `
domain: headroom_admin
descriptors:
  - key: admin_token
    limits: [ { requests: ${token}, per: year } ]
  - key: admin_address
    limits: [ { requests: ${address}, per: year } ]
`;
}

/** For tests that are not about these limits. */
export const GENEROUS = adminPolicy(1_000_000, 1_000_000);
