import { z } from '@hono/zod-openapi';
import ipaddr from 'ipaddr.js';

/**
 * Fields as the panel sends them: form values are texts, so numbers and switches are read from texts too, and an
 * empty value of an optional field means that it is absent. Each has a bound and a strict pattern.
 */

const CONTROL = /\p{Cc}/u;
/** Half of a pair: cannot be encoded in UTF-8, the database would store something else. */
const LONE_SURROGATE = /\p{Cs}/u;

const emptyAsAbsent = (value: unknown) => (value === '' ? undefined : value);

function text(max: number) {
  return z
    .string('must be a single text')
    .max(max, `must have at most ${max} characters`)
    .refine((value) => !value.includes('\0'), 'must not hold NUL characters')
    .refine((value) => !LONE_SURROGATE.test(value), 'must be well-formed unicode');
}

/** Free text of several lines. */
export function freeText(max: number) {
  return text(max);
}

/** One line of any unicode, without control characters. */
export function line({ min = 0, max }: { min?: number; max: number }) {
  return text(max)
    .min(min, min === 1 ? 'must not be empty' : `must have at least ${min} characters`)
    .refine((value) => !CONTROL.test(value), 'must be one line without control characters');
}

/** Something with an alphabet of its own. */
export function pattern(regex: RegExp, max: number, message: string) {
  return z
    .string('must be a single text')
    .max(max, `must have at most ${max} characters`)
    .regex(regex, message);
}

export function wholeNumber({ min, max }: { min: number; max: number }) {
  const message = `must be a whole number from ${min} to ${max}`;
  return z.preprocess(
    (value) => (typeof value === 'string' && /^-?\d{1,15}$/.test(value) ? Number(value) : value),
    z.number(message).int(message).min(min, message).max(max, message),
  );
}

/** Ids are Postgres integers. */
export function rowId() {
  return wholeNumber({ min: 1, max: 2_147_483_647 });
}

const SWITCH: Record<string, boolean> = {
  true: true,
  '1': true,
  on: true,
  false: false,
  '0': false,
  off: false,
};

export function flag() {
  return z.preprocess((value) => {
    if (typeof value === 'string') return SWITCH[value.toLowerCase()] ?? value;
    return value === 1 ? true : value === 0 ? false : value;
  }, z.boolean('must be true or false'));
}

export function oneOf<const Values extends readonly [string, ...string[]]>(values: Values) {
  return z.enum(values, `must be one of ${values.join(', ')}`);
}

/** Absent, empty, or as the schema says. */
export function optional<Schema extends z.ZodType>(schema: Schema) {
  return z.preprocess(emptyAsAbsent, schema.optional());
}

const LABEL = '[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?';
/** 253: the longest name that DNS can carry. */
const HOSTNAME = new RegExp(`^(?=.{1,253}$)${LABEL}(\\.${LABEL})*$`);

/** Lower-case DNS name of at least two labels, the last one not a number. */
export function domain() {
  return pattern(
    new RegExp(`^(?=.{1,253}$)(${LABEL}\\.)+(?!\\d+$)${LABEL}$`),
    253,
    'must be a domain name in lower case, such as clients.example.test',
  );
}

/** Address or lower-case name of a host as this machine reaches it; private ones are what servers usually have. */
export function host() {
  const message = 'must be a host name in lower case or an IP address';
  return z
    .string('must be a single text')
    .max(253, 'must have at most 253 characters')
    .refine(isHost, message)
    .transform((value) => canonicalAddress(value) ?? value);
}

function isHost(value: string): boolean {
  const address = parseAddress(value);
  if (address !== null)
    return !['unspecified', 'multicast', 'broadcast', 'linkLocal'].includes(address.range());
  // an all-numeric last label is a mistyped address
  return HOSTNAME.test(value) && !/(^|\.)\d+$/.test(value);
}

/** Dotted v4 without leading zeros, or v6 without zone: the spellings that every other reader takes alike. */
function parseAddress(value: string): ipaddr.IPv4 | ipaddr.IPv6 | null {
  if (/^(0|[1-9]\d{0,2})(\.(0|[1-9]\d{0,2})){3}$/.test(value) && ipaddr.IPv4.isValid(value)) {
    return ipaddr.IPv4.parse(value);
  }
  if (!/^[0-9a-f:.]{2,45}$/i.test(value) || !ipaddr.IPv6.isValid(value)) return null;
  const address = ipaddr.IPv6.parse(value);
  return address.isIPv4MappedAddress() ? address.toIPv4Address() : address;
}

function canonicalAddress(value: string): string | null {
  return parseAddress(value)?.toString() ?? null;
}

/** An address or a network in its one spelling (`10.0.0.7/8` is `10.0.0.0/8`), or null. */
export function canonicalNetwork(value: string): string | null {
  const slash = value.indexOf('/');
  if (slash < 0) return canonicalAddress(value);
  const mask = value.slice(slash + 1);
  const address = parseAddress(value.slice(0, slash));
  if (address === null || !/^(0|[1-9]\d{0,2})$/.test(mask)) return null;
  const mapped = address.kind() === 'ipv4' && value.includes(':');
  const bits = Number(mask);
  if (mapped || bits > (address.kind() === 'ipv4' ? 32 : 128)) return null;
  const network =
    address.kind() === 'ipv4'
      ? ipaddr.IPv4.networkAddressFromCIDR(`${address.toString()}/${bits}`)
      : ipaddr.IPv6.networkAddressFromCIDR(`${address.toString()}/${bits}`);
  return `${network.toString()}/${bits}`;
}

/** 200 lines of allow are more than any office has, and keep the vhost readable. */
const ALLOWED_IPS_MAX = 200;

/** The source document's own form: a text that holds a JSON array; an array itself in JSON. Empty = everyone. */
export function allowedIps() {
  return z
    .union(
      [z.string().max(20_000), z.array(z.string().max(50)).max(ALLOWED_IPS_MAX)],
      'must be a JSON array of IPs or masks',
    )
    .transform((value, context): string[] => {
      const entries = typeof value === 'string' ? parseArray(value) : value;
      if (entries === null || entries.length > ALLOWED_IPS_MAX) {
        context.addIssue({
          code: 'custom',
          message: `must be a JSON array of at most ${ALLOWED_IPS_MAX} IPs or masks`,
        });
        return z.NEVER;
      }
      const canonical = entries.map((entry) =>
        typeof entry === 'string' ? canonicalNetwork(entry.trim()) : null,
      );
      const bad = canonical.indexOf(null);
      if (bad >= 0) {
        context.addIssue({ code: 'custom', message: `entry ${bad + 1} is not an IP address or mask` });
        return z.NEVER;
      }
      return [...new Set(canonical as string[])];
    });
}

function parseArray(value: string): unknown[] | null {
  if (value.trim() === '') return [];
  try {
    const parsed: unknown = JSON.parse(value);
    return Array.isArray(parsed) ? parsed : null;
  } catch {
    return null;
  }
}

/** Absolute, each part begins with a letter, digit, dot or underscore and none is `.` or `..`; not the root. */
export function absolutePath() {
  return pattern(
    /^(\/(?!\.{1,2}(\/|$))[A-Za-z0-9._][A-Za-z0-9._-]*)+$/,
    200,
    'must be an absolute path of letters, digits, dots, dashes and underscores, without ".."',
  );
}

/**
 * Addresses that every mail system takes: ASCII, dot-separated local part, domain with a dot. Stricter than RFC 5321,
 * because the address also goes into the client's own tables and mails.
 */
export function email() {
  const atom = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+";
  const label = '[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?';
  return pattern(
    new RegExp(
      `^(?=.{1,64}@)(?!-)${atom}(\\.${atom})*@(${label}\\.)+[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])$`,
    ),
    254,
    'must be an e-mail address',
  );
}

/** A name of the IANA database that this Node knows; offsets such as `+03:00` are no time zones. */
export function timezone() {
  return z
    .string('must be a single text')
    .max(64, 'must have at most 64 characters')
    .regex(/^[A-Za-z][A-Za-z0-9_+-]*(\/[A-Za-z0-9_+-]+){0,2}$/, 'must be a time zone such as Europe/Berlin')
    .refine(isTimezone, 'must be a time zone such as Europe/Berlin');
}

function isTimezone(value: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: value }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

export const SUBDOMAIN = /^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$/;
/** Docker's own rule for tags. */
export const VERSION_TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
