import { isGrpcServiceError, ServiceError } from '@temporalio/client';
import { HTTPException } from 'hono/http-exception';
import { Problem, type ProblemCode } from './problem.js';

/** The driver's and the server's codes for "not now": connection lost, shutting down, full, statement given up. */
const DATABASE_AWAY = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
  'CONNECT_TIMEOUT',
  'CONNECTION_CLOSED',
  'CONNECTION_ENDED',
  'CONNECTION_DESTROYED',
  '57P01',
  '57P02',
  '57P03',
  '57014',
  // the database is closed to connections
  '55000',
  '53300',
  // no room on its disk
  '53100',
  // before the first migration has run
  '42P01',
]);

/** gRPC: cancelled, deadline exceeded, resource exhausted, aborted, unavailable. */
const TEMPORAL_AWAY = new Set([1, 4, 8, 10, 14]);

const BY_STATUS: Record<number, ProblemCode> = {
  400: 'invalid_body',
  401: 'unauthorized',
  404: 'not_found',
  405: 'method_not_allowed',
  413: 'body_too_large',
  415: 'unsupported_media_type',
};

/** What the caller may know of any error; the cause itself is only for the log. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof HTTPException)
    return new Problem(BY_STATUS[error.status] ?? 'internal', { cause: error });
  if (isTemporalAway(error)) return temporalAway(error);
  if (isDatabaseAway(error)) {
    return new Problem('database_unavailable', { headers: { 'Retry-After': '2' }, cause: error });
  }
  return new Problem('internal', {
    detail: 'Something unexpected went wrong; the log has it under the request id',
    cause: error,
  });
}

export function temporalAway(cause: unknown): Problem {
  return new Problem('temporal_unavailable', { headers: { 'Retry-After': '5' }, cause });
}

export function isTemporalAway(error: unknown): boolean {
  const code = grpcCode(error);
  return code !== undefined && TEMPORAL_AWAY.has(code);
}

/** The gRPC status of an error of the Temporal client, wrapped or not. */
export function grpcCode(error: unknown): number | undefined {
  if (isGrpcServiceError(error)) return error.code;
  if (error instanceof ServiceError) return grpcCode(error.cause);
  return undefined;
}

export function isDatabaseAway(error: unknown): boolean {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth += 1) {
    const code = (cause as Error & { code?: unknown }).code;
    if (typeof code === 'string' && DATABASE_AWAY.has(code)) return true;
  }
  return false;
}

/** For the log: the ORM's own message repeats statement and parameters, so only what it wraps is written. */
export function describeError(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: String(error) };
  const wrapsStatement = 'query' in error && 'params' in error && error.cause instanceof Error;
  if (wrapsStatement) return describeError(error.cause);
  return {
    name: error.name,
    message: error.message,
    code: (error as Error & { code?: unknown }).code,
    stack: error.stack,
    ...(error.cause === undefined ? {} : { cause: describeError(error.cause) }),
  };
}
