import { OPERATION_ID } from '../../../workflows/contract/operation/ids.js';
import { failure } from '../../../workflows/contract/operation/failures.js';
import type { Server } from '../../hosts/connections.js';

/** Where a move or copy lays down an image that is under way. */
export function workspaceOf(server: Pick<Server, 'baseDir'>, operation: string): string {
  if (!OPERATION_ID.test(operation)) throw failure('InvalidInput', `no operation id: ${operation}`);
  return `${server.baseDir}/slipway/moves/${operation.toLowerCase()}`;
}

/** What a dump consists of; a database is one of the first two. */
export const DUMP_FILES = [
  'database.sql.gz',
  'database.options',
  'database.dump',
  'files.tar.gz',
  'sums',
  'schema',
] as const;

/** Sums of the source, and those of the target that are compared with them. */
export const SUMS = {
  source: { sums: 'sums', schema: 'schema' },
  target: { sums: 'sums.here', schema: 'schema.here' },
} as const;
export type SumsOf = keyof typeof SUMS;

/** As long as the steps: a large client's dump, its way over a slow line and its restoring take hours. */
export const DATA_TIMEOUT_MS = 6 * 3_600_000;

/** Ends the name of a dump that came from elsewhere, beside the client's own backups. */
export const MOVED = '-moved';
