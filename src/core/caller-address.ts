/** Addresses as they are counted: one for whoever can choose among many. */

const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;
const HEX_GROUPS = 8;

/**
 * IPv4 whole, also where IPv6 carries it; of IPv6 the first 64 bits, since whoever has one address there has them all
 * (RFC 6177).
 * @returns undefined for what is no address
 */
export function countedAddress(text: string): string | undefined {
  if (IPV4.test(text)) return text;
  const groups = groupsOf(text.replace(/%.*$/, ''));
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
