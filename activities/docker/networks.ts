import ipaddr from 'ipaddr.js';

/** Whether two IPv4 networks such as `10.213.0.16/28` share an address; anything that is none never does. */
export function networksOverlap(one: string, other: string): boolean {
  if (!ipaddr.IPv4.isValidCIDR(one) || !ipaddr.IPv4.isValidCIDR(other)) return false;
  const [first, firstBits] = ipaddr.IPv4.parseCIDR(one);
  const [second, secondBits] = ipaddr.IPv4.parseCIDR(other);
  const bits = Math.min(firstBits, secondBits);
  return first.match(second, bits);
}
