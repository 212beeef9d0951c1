/** Addresses as they are counted: one for whoever can choose among many. */

const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;
const HEX_GROUPS = 8;
/** Longer than any address with its zone and its mask: what is longer is not looked at. */
const CHARACTERS_MAX = 100;
/** An address, perhaps with the mask that Envoy's masked_remote_address has behind it. */
const MASKED = /^([^/]*)\/(\d{1,3})$/;
const IPV4_BITS = 32;
/** What one customer has of IPv6. */
const NETWORK_BITS = 64;

/**
 * IPv4 whole, also where IPv6 carries it; of IPv6 the first 64 bits, since whoever has one address there has them all
 * (RFC 6177). A mask that keeps more than that changes nothing.
 * @returns undefined for what is no address, and for a network that holds more than one counts for
 */
export function countedAddress(text: string): string | undefined {
  if (text.length > CHARACTERS_MAX) return undefined;
  const [, address = text, bits = ''] = MASKED.exec(text) ?? [];
  if (IPV4.test(address)) return bits === '' || Number(bits) === IPV4_BITS ? address : undefined;
  if (bits !== '' && Number(bits) < NETWORK_BITS) return undefined;
  const groups = groupsOf(address.split('%', 1)[0] ?? '');
  if (groups === undefined) return undefined;
  const isMapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  const carried = groups.slice(6).flatMap((group) => [group >> 8, group & 0xff]);
  return isMapped
    ? carried.join('.')
    : `${groups
        .slice(0, 4)
        .map((group) => group.toString(16))
        .join(':')}::/64`;
}

/** The eight groups of an IPv6 address; undefined for what is none. */
function groupsOf(address: string): number[] | undefined {
  if (!/^[\da-f:.]{2,45}$/i.test(address)) return undefined;
  // The URL standard writes addresses in one way alone (RFC 5952), IPv4 at the end as two groups.
  const canonical = URL.parse(`http://[${address}]`)?.hostname.slice(1, -1);
  if (canonical === undefined) return undefined;
  const [head = '', tail = ''] = canonical.split('::');
  const [left, right] = [head, tail].map((part) =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)),
  ) as [number[], number[]];
  return [...left, ...Array<number>(HEX_GROUPS - left.length - right.length).fill(0), ...right];
}
