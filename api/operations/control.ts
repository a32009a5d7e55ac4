import { ulid } from 'ulid';
import type { Db } from '../../db/database.js';
import { recordAudit } from '../../db/queries/audit.js';
import { findOperation, type OperationRow } from '../../db/queries/operation-reads.js';
import { type Decision, type HoldAction, isEnd } from '../../workflows/contract/operation/operation.js';
import type { DecisionPayload } from '../../workflows/contract/operation/signals.js';
import { isRunOf } from '../../workflows/contract/operation/runs.js';
import { Problem } from '../http/problem.js';
import type { Temporal } from './temporal.js';
import type { Watches } from './watches.js';
import { describeRun, type Run } from './holder.js';
import { type Caller } from './record-start.js';

/** The decision is normally recorded within some 50 ms; after 2 s the caller is told that it is on its way. */
const DECISION_WAIT_MS = 2_000;
const SIGNAL_MS = 2_000;

export interface ControlDeps {
  db: Db;
  temporal: Temporal;
  watches: Watches;
}

export interface DecisionRequest {
  id: string;
  action: HoldAction | 'cancel';
  note: string | undefined;
  input?: Record<string, unknown> | undefined;
  caller: Pick<Caller, 'actor' | 'address' | 'requestId' | 'route'>;
}

export interface DecisionAnswer {
  status: 200 | 202;
  decision: Decision | null;
  row: OperationRow;
}

/**
 * Sends a decision to the exact run and waits shortly for its verdict: accepted 200, on its way 202; 409 when the
 * operation has ended, waits for nobody, is past its commit or ignored the decision.
 */
export async function decide(deps: ControlDeps, request: DecisionRequest): Promise<DecisionAnswer> {
  const { row, run } = await openRun(deps, request.id);
  await audit(deps, row, request);
  return request.action === 'cancel'
    ? cancel(deps, row, run)
    : signal(deps, row, run, { ...request, action: request.action });
}

/** The operation's row and its exact run, or why there is nothing to act on. */
export async function openRun(
  { db, temporal }: ControlDeps,
  id: string,
): Promise<{ row: OperationRow; run: Run }> {
  const row = await findOperation(db, id);
  if (row === undefined) throw new Problem('not_found', { detail: `There is no operation ${id}` });
  if (isEnd(row.state)) throw ended(row);
  const run = await describeRun(temporal, row.subject);
  if (run === null || !run.running || !isRunOf(run, row)) throw ended(row);
  return { row, run };
}

async function signal(
  { db, temporal, watches }: ControlDeps,
  row: OperationRow,
  run: Run,
  { action, note, input, caller }: DecisionRequest & { action: HoldAction },
): Promise<DecisionAnswer> {
  if (!row.hold)
    throw new Problem('not_holding', {
      detail: `The operation is ${row.state}, it does not wait for a decision`,
    });
  // what the hold does not take must not even get into history: it could be a secret
  const refused = Object.keys(input ?? {}).filter((field) => !(row.hold?.editable ?? []).includes(field));
  if (refused.length > 0)
    throw new Problem('decision_ignored', {
      detail: `The decision was ignored: not changeable here: ${refused.join(', ')}`,
    });
  const id = ulid();
  const payload: DecisionPayload = {
    id,
    actor: caller.actor,
    operation: row.id,
    hold: row.hold.number,
    ...(note === undefined ? {} : { note }),
    ...(input === undefined ? {} : { input }),
  };
  const handle = temporal.client.workflow.getHandle(run.workflowId, run.runId);
  await temporal.within(SIGNAL_MS, () => handle.signal(action, payload));
  const { now, found } = await awaitRecord({ db, watches, row }, (current) =>
    current.decisions.find((decision) => decision.id === id),
  );
  return answer(now, found);
}

/** A cancel carries no id: it shows in the state, or as an ignored decision when it came too late. */
async function cancel(
  { db, temporal, watches }: ControlDeps,
  row: OperationRow,
  run: Run,
): Promise<DecisionAnswer> {
  // the server takes only the first request to cancel a run: no other verdict will come
  if (row.decisions.some((decision) => isCancel(decision) && decision.ignored === 'past_commit'))
    throw new Problem('past_commit');
  const before = row.decisions.filter(isCancel).length;
  const handle = temporal.client.workflow.getHandle(run.workflowId, run.runId);
  await temporal.within(SIGNAL_MS, () => handle.cancel());
  const { now, found } = await awaitRecord({ db, watches, row }, (current): Decision | true | undefined => {
    const decision = current.decisions.filter(isCancel)[before];
    return decision ?? (current.state === 'rolling_back' || isEnd(current.state) ? true : undefined);
  });
  return found === true ? { status: 200, decision: null, row: now } : answer(now, found);
}

function isCancel(decision: Decision): boolean {
  return decision.action === 'cancel';
}

function answer(row: OperationRow, decision: Decision | undefined): DecisionAnswer {
  if (decision === undefined) return { status: 202, decision: null, row };
  if (decision.accepted) return { status: 200, decision, row };
  if (decision.ignored === 'past_commit') throw new Problem('past_commit');
  throw new Problem('decision_ignored', {
    detail: `The decision was ignored: ${decision.ignored ?? 'no reason given'}`,
  });
}

async function awaitRecord<Found>(
  { db, watches, row }: Pick<ControlDeps, 'db' | 'watches'> & { row: OperationRow },
  look: (current: OperationRow) => Found | undefined,
): Promise<{ now: OperationRow; found: Found | undefined }> {
  const until = Date.now() + DECISION_WAIT_MS;
  for (;;) {
    const now = (await findOperation(db, row.id)) ?? row;
    const found = look(now);
    const left = until - Date.now();
    if (found !== undefined || left <= 0) return { now, found };
    // a notification may slip by between look and wait
    await watches.next(row.id, Math.min(left, 100));
  }
}

async function audit(
  { db }: ControlDeps,
  row: OperationRow,
  { action, note, caller }: DecisionRequest,
): Promise<void> {
  const { actor, address, requestId, route } = caller;
  const detail = { action, ...(note === undefined ? {} : { note }) };
  await recordAudit(db, {
    actor,
    address,
    requestId,
    route,
    subject: row.subject,
    operationId: row.id,
    outcome: 'sent',
    detail,
  });
}

function ended(row: OperationRow): Problem {
  return new Problem('operation_ended', {
    detail: `The operation is ${isEnd(row.state) ? row.state : 'over'}; nothing waits for this`,
  });
}
