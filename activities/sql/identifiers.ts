import { failure } from '../../workflows/contract/operation/failures.js';

/** 63 bytes: the shorter of the two engines' limits (PostgreSQL's NAMEDATALEN - 1). */
const IDENTIFIER = /^[a-z][a-z0-9_]{0,62}$/;

/** Refuses what is not a plain lower-case name, so that quoting below never has to escape. */
export function checkIdentifier(name: string): string {
  if (IDENTIFIER.test(name)) return name;
  throw failure('InvalidInput', `"${name}" cannot name a database or its user`);
}

export function mariadbName(name: string): string {
  return `\`${checkIdentifier(name)}\``;
}

/** In GRANT, `_` and `%` of a database name are wildcards: unescaped, `a_b` would open `acb` too. */
export function mariadbGrantName(name: string): string {
  return `\`${checkIdentifier(name).replaceAll('_', '\\_')}\``;
}

export function postgresName(name: string): string {
  return `"${checkIdentifier(name)}"`;
}

/** Postgres takes no parameters in CREATE ROLE or COMMENT; with standard strings only the quote is special. */
export function postgresLiteral(value: string): string {
  if (value.includes('\0')) throw failure('InvalidInput', 'a value for the database holds a NUL character');
  return value.includes('\\')
    ? `E'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
    : `'${value.replaceAll("'", "''")}'`;
}

/** `10.213.0.16/28` as MariaDB writes a network in an account: `10.213.0.16/255.255.255.240`. */
export function mariadbHost(subnet: string): string {
  const match = /^(\d{1,3}(?:\.\d{1,3}){3})\/(\d{1,2})$/.exec(subnet);
  const bits = Number(match?.[2]);
  if (match === null || bits > 32) throw failure('InvalidInput', `"${subnet}" is not an IPv4 network`);
  const mask = [0, 1, 2, 3].map((octet) => 256 - 2 ** (8 - Math.min(8, Math.max(0, bits - 8 * octet))));
  return `${match[1]}/${mask.join('.')}`;
}
