import pLimit from 'p-limit';
import {
  listOperations,
  type ListedOperation,
  listOperationsById,
  type OperationFilter,
} from '../../db/queries/operation-reads.js';
import { LIVE_STATES, type OperationState } from '../../workflows/contract/operation/operation.js';
import { problemOf } from '../http/errors.js';
import { type ProblemCode, PROBLEMS } from '../http/problem.js';
import { invalidInput } from '../http/router.js';
import { startCleanup } from './cleanup.js';
import { type ControlDeps, decide, type DecisionRequest } from './control.js';
import type { Caller, StartDeps } from './record-start.js';
import { refOf } from './refusals.js';

/** Each waits up to 2 s for its verdict, so 200 end within 20 s, and other requests still find connections. */
const AT_ONCE = 20;

type BulkDeps = ControlDeps & StartDeps;

export interface BulkRequest extends Pick<DecisionRequest, 'note'> {
  action: DecisionRequest['action'] | 'cleanup';
  caller: Caller;
  which: { ids: string[] } | { filter: Omit<OperationFilter, 'limit'> };
  /** operations per call */
  max: number;
  /** what nobody foresaw: refused as `internal`, with its cause for the log */
  failed(error: unknown): void;
}

export interface BulkResult {
  id: string;
  subject: string;
  outcome: 'accepted' | 'pending' | 'refused';
  code?: ProblemCode;
  detail?: string;
  /** the clean-up that was started */
  operation?: ReturnType<typeof refOf>;
}

/**
 * The same decision for many operations, each by the rules of its own route. An id that names nothing is 422 and an
 * absent Temporal 503, both before anything is done; from then on each operation has its own outcome.
 */
export async function decideForMany(
  deps: BulkDeps,
  { action, note, caller, which, max, failed }: BulkRequest,
): Promise<{ results: BulkResult[]; cursor: string | null }> {
  const found = await select(deps, { action, which, max });
  const rows = found.slice(0, max);
  await deps.temporal.requireReachable();
  const limit = pLimit(AT_ONCE);
  const one = async ({ id, subject }: ListedOperation): Promise<BulkResult> => {
    try {
      if (action === 'cleanup')
        return { id, subject, outcome: 'accepted', operation: await cleanUp(deps, id, caller) };
      const { status } = await decide(deps, { id, action, note, caller });
      return { id, subject, outcome: status === 202 ? 'pending' : 'accepted' };
    } catch (error) {
      const { code, options } = problemOf(error);
      if (code === 'internal') failed(error);
      return { id, subject, outcome: 'refused', code, detail: options.detail ?? PROBLEMS[code][1] };
    }
  };
  const results = await Promise.all(rows.map((row) => limit(() => one(row))));
  return { results, cursor: found.length > max ? (rows.at(-1)?.id ?? null) : null };
}

/** As its own route starts it; a key would be the same for all of them. */
async function cleanUp(deps: BulkDeps, id: string, caller: Caller) {
  const own = {
    route: `POST /operations/${id}/cleanup`,
    body: { query: {} },
    idempotencyKey: undefined,
    plan: false,
  };
  const started = await startCleanup(deps, { id, caller: { ...caller, ...own }, options: {} });
  if ('plan' in started) throw new Error('a plan was answered that nobody asked for');
  return refOf(started.operation);
}

/** Ends that may have left something behind. */
const LEAVING: OperationState[] = ['rollback_incomplete', 'terminated'];

/** One more than `max` where a filter finds more. */
async function select(
  { db }: BulkDeps,
  { action, which, max }: Pick<BulkRequest, 'action' | 'which' | 'max'>,
): Promise<ListedOperation[]> {
  if ('filter' in which) {
    const { states = action === 'cleanup' ? LEAVING : [...LIVE_STATES], ...filter } = which.filter;
    return listOperations(db, { ...filter, states, limit: max + 1 });
  }
  const ids = [...new Set(which.ids)];
  const rows = new Map((await listOperationsById(db, ids)).map((row) => [row.id, row]));
  const unknown = which.ids.flatMap((id, index) =>
    rows.has(id) ? [] : [{ field: `ids.${index}`, message: `there is no operation ${id}` }],
  );
  if (unknown.length > 0) throw invalidInput(unknown);
  return ids.flatMap((id) => rows.get(id) ?? []);
}
