import type { FailureKind } from '../../workflows/contract/operation/failures.js';
import { SOCKET_CODES } from './socket-errors.js';

/** SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html */
const STATES: Record<string, FailureKind> = {
  '42P04': 'Conflict', // database exists
  '42710': 'Conflict', // role exists
  '3D000': 'NotFound', // no such database
  '28000': 'Unauthorized', // not admitted by pg_hba.conf
  '28P01': 'Unauthorized', // wrong password
  '42501': 'Unauthorized', // insufficient privilege
  '53100': 'CapacityExceeded', // disk full
  '53200': 'CapacityExceeded', // out of memory
  '53300': 'Unavailable', // too many connections
  '40001': 'Unavailable', // serialization failure
  '40P01': 'Unavailable', // deadlock
  '55006': 'Unavailable', // object in use: a session has not left yet
  '55P03': 'Unavailable', // lock not available
  '57014': 'Unavailable', // canceled by a timeout
  '57P01': 'Unavailable', // admin shutdown
  '57P02': 'Unavailable', // crash shutdown
  '57P03': 'Unavailable', // starting up
  '57P05': 'Unavailable', // ended after it was idle for too long
  '23505': 'Unavailable', // two attempts met in a system catalogue; the next one finds what was made
  XX000: 'Unavailable', // "tuple concurrently updated", the other way of meeting there
};

/** Codes of postgres.js and of Node's sockets: the server was not reached, or was lost. */
const CODES = new Set<string>([
  ...SOCKET_CODES,
  'CONNECT_TIMEOUT',
  'CONNECTION_CLOSED',
  'CONNECTION_DESTROYED',
  'CONNECTION_ENDED',
]);

/** The failure kind of an error of postgres.js, or undefined when it is not one that we expect. */
export function postgresErrorKind(error: unknown): FailureKind | undefined {
  if (!(error instanceof Error)) return undefined;
  const code = (error as Error & { code?: unknown }).code;
  if (typeof code !== 'string') return undefined;
  if (CODES.has(code) || code.startsWith('08')) return 'Unavailable';
  // somebody's who watches the server: he leaves, we may not end him
  if (code === '42501' && /terminate superuser/.test(error.message)) return 'Unavailable';
  if (code === 'XX000' && !/concurrently/.test(error.message)) return undefined;
  return STATES[code];
}
