import ipaddr from 'ipaddr.js';
import type { Ctx, Middleware } from '../environment.js';

type Network = [ipaddr.IPv4 | ipaddr.IPv6, number];

/** Sets `address`: the peer's, or what trusted proxies say of it, read from the nearest one outwards. */
export function clientAddress({ trustedProxies }: { trustedProxies: string[] }): Middleware {
  const trusted = networkMatcher(trustedProxies);
  return async (c, next) => {
    c.set('address', seenThrough(c, trusted));
    await next();
  };
}

function seenThrough(c: Ctx, trusted: (address: string) => boolean): string {
  let address = normal(c.env?.incoming?.socket?.remoteAddress ?? 'unknown');
  const hops = (c.req.header('x-forwarded-for') ?? '').split(',').map((hop) => hop.trim());
  while (trusted(address) && hops.length > 0) {
    const hop = hops.pop() ?? '';
    if (!ipaddr.isValid(hop)) break;
    address = normal(hop);
  }
  return address;
}

/** Whether an address lies in one of the networks; addresses that cannot be read lie in none. */
export function networkMatcher(networks: string[]): (address: string) => boolean {
  const parsed = networks.map((network): Network => {
    if (network.includes('/')) return ipaddr.parseCIDR(network);
    const address = ipaddr.process(network);
    return [address, address.kind() === 'ipv4' ? 32 : 128];
  });
  return (address) => {
    if (!ipaddr.isValid(address)) return false;
    const candidate = ipaddr.process(address);
    return parsed.some(
      ([network, bits]) => network.kind() === candidate.kind() && candidate.match([network, bits] as never),
    );
  };
}

/** What one caller can be told by: of IPv6 the /64, because whoever has one address there has all. */
export function networkOf(address: string): string {
  if (!ipaddr.IPv6.isValid(address)) return address;
  return ipaddr.IPv6.networkAddressFromCIDR(`${address}/64`).toString();
}

function normal(address: string): string {
  return ipaddr.isValid(address) ? ipaddr.process(address).toString() : address;
}
