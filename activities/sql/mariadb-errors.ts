import type { FailureKind } from '../../workflows/contract/operation/failures.js';
import { SOCKET_CODES } from './socket-errors.js';

/** Server error numbers: https://mariadb.com/kb/en/mariadb-error-codes/ */
const NUMBERS: Record<number, FailureKind> = {
  1007: 'Conflict', // database exists
  1396: 'Conflict', // CREATE USER: account exists
  1008: 'NotFound', // DROP DATABASE: no such database
  1049: 'NotFound', // unknown database
  1094: 'NotFound', // KILL: no such connection any more
  1044: 'Unauthorized', // no access to the database
  1045: 'Unauthorized', // wrong login
  1095: 'Unauthorized', // not owner of the connection
  1130: 'Unauthorized', // this address may not log in
  1142: 'Unauthorized', // statement denied on table
  1227: 'Unauthorized', // a global privilege is missing
  1251: 'Unauthorized', // authentication method not supported
  1410: 'Unauthorized', // may not create a user with GRANT
  1698: 'Unauthorized', // socket login only
  1021: 'CapacityExceeded', // disk full
  1037: 'CapacityExceeded', // out of memory
  1041: 'CapacityExceeded', // out of memory
  1114: 'CapacityExceeded', // table is full
  1040: 'Unavailable', // too many connections
  1053: 'Unavailable', // shutdown in progress
  1129: 'Unavailable', // host blocked after too many failed connects
  1158: 'Unavailable', // network read error
  1159: 'Unavailable',
  1160: 'Unavailable',
  1161: 'Unavailable',
  1203: 'Unavailable', // too many connections of this user
  1205: 'Unavailable', // lock wait timeout
  1213: 'Unavailable', // deadlock
  1317: 'Unavailable', // query interrupted
  1927: 'Unavailable', // connection killed
  4031: 'Unavailable', // ended after it was idle for too long
};

/** Codes of the driver and of Node's sockets: the server was not reached, or was lost. */
const CODES = new Set<string>([...SOCKET_CODES, 'PROTOCOL_CONNECTION_LOST', 'PROTOCOL_SEQUENCE_TIMEOUT']);

/** Storage engines report a full disk as ENOSPC inside the text of many different errors. */
const NO_SPACE = /\b(?:errcode|errno|error):? 28\b|no space left/i;

/** The failure kind of an error of mysql2, or undefined when it is not one that we expect. */
export function mariadbErrorKind(error: unknown): FailureKind | undefined {
  if (!(error instanceof Error)) return undefined;
  const { errno, code } = error as Error & { errno?: unknown; code?: unknown };
  if (typeof errno === 'number' && errno > 0 && NO_SPACE.test(error.message)) return 'CapacityExceeded';
  if (typeof errno === 'number' && NUMBERS[errno] !== undefined) return NUMBERS[errno];
  if (typeof code === 'string' && CODES.has(code)) return 'Unavailable';
  return undefined;
}
