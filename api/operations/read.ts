import { createHash } from 'node:crypto';
import { findOperation, listSteps, type OperationRow } from '../../db/queries/operation-reads.js';
import { isEnd } from '../../workflows/contract/operation/operation.js';
import { Problem } from '../http/problem.js';
import type { RouteDeps } from './deps.js';
import { enrich } from './live.js';
import { type OperationAnswer, viewOfRow } from './view.js';

/** Proxies commonly give up after 60 s. */
export const WAIT_MAX_SECONDS = 30;
/** Should a notification be lost with its connection, a long poll looks again after this long. */
const LOOK_AGAIN_MS = 2_000;

interface Wait {
  seconds: number;
  /** of what the caller has; absent: as it is now */
  etag: string | undefined;
  /** aborted when the caller is gone */
  left: AbortSignal;
}

/** The operation, a running one as Temporal knows it; with `wait` once its record differs from what the caller has. */
export async function readOperation(deps: RouteDeps, id: string, wait?: Wait) {
  const recorded = wait === undefined ? await readRecorded(deps, id) : await awaitChange(deps, id, wait);
  const operation = isEnd(recorded.state) ? recorded : await enrich(deps.temporal, recorded);
  return { operation, etag: etagOf(recorded) };
}

export async function requireOperation({ db }: Pick<RouteDeps, 'db'>, id: string): Promise<OperationRow> {
  const row = await findOperation(db, id);
  if (row === undefined) throw new Problem('not_found', { detail: `There is no operation ${id}` });
  return row;
}

async function readRecorded(deps: RouteDeps, id: string): Promise<OperationAnswer> {
  return viewOfRow(await requireOperation(deps, id), await listSteps(deps.db, id));
}

async function awaitChange(
  deps: RouteDeps,
  id: string,
  { seconds, etag, left }: Wait,
): Promise<OperationAnswer> {
  const { watches } = deps;
  const until = Date.now() + seconds * 1000;
  const watch = watches.watch([id]);
  left.addEventListener('abort', watch.wake);
  try {
    let now = await readRecorded(deps, id);
    const had = etag ?? etagOf(now);
    const over = () => isEnd(now.state) || left.aborted || watches.stopping.aborted || Date.now() >= until;
    while (etagOf(now) === had && !over()) {
      await watch.next(Math.min(LOOK_AGAIN_MS, until - Date.now()));
      now = await readRecorded(deps, id);
    }
    return now;
  } finally {
    watch.end();
  }
}

function etagOf(view: OperationAnswer): string {
  return `"${createHash('sha256').update(JSON.stringify(view)).digest('base64url').slice(0, 22)}"`;
}
