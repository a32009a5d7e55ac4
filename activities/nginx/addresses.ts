import ipaddr from 'ipaddr.js';
import { failure } from '../../workflows/contract/operation/failures.js';

/**
 * An address or mask in the one form that nginx and Docker read alike: dotted decimal, mapped IPv6 as IPv4, host bits
 * cleared, `/32` and `/128` left out. `InvalidInput` for anything else (octal and hexadecimal parts, zones, names).
 */
export function canonicalNetwork(text: string): string {
  const [address = '', prefix, ...more] = text.trim().split('/');
  if (more.length > 0 || (prefix !== undefined && !/^(?:0|[1-9]\d{0,2})$/.test(prefix)))
    throw notANetwork(text);
  if (
    !ipaddr.IPv4.isValidFourPartDecimal(address) &&
    !(ipaddr.IPv6.isValid(address) && !address.includes('%'))
  ) {
    throw notANetwork(text);
  }
  const parsed = ipaddr.parse(address);
  const widthBits = parsed.kind() === 'ipv4' ? 32 : 128;
  const bits = prefix === undefined ? widthBits : Number(prefix);
  if (bits > widthBits) throw notANetwork(text);
  if (parsed.kind() === 'ipv6' && (parsed as ipaddr.IPv6).isIPv4MappedAddress() && bits >= 96) {
    return networkText((parsed as ipaddr.IPv6).toIPv4Address(), bits - 96);
  }
  return networkText(parsed, bits);
}

function networkText(address: ipaddr.IPv4 | ipaddr.IPv6, bits: number): string {
  const bytes = address.toByteArray();
  if (bits === bytes.length * 8) return address.toString();
  const cleared = bytes.map((byte, i) => byte & (0xff00 >> Math.min(8, Math.max(0, bits - i * 8))) & 0xff);
  return `${ipaddr.fromByteArray(cleared).toString()}/${bits}`;
}

function notANetwork(text: string) {
  return failure('InvalidInput', `${JSON.stringify(text.slice(0, 60))} is not an IP address or mask`);
}
