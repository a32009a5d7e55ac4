import { setTimeout as sleep } from 'node:timers/promises';
import { recordAudit } from '../../db/queries/audit.js';
import { findOperation, type OperationRow } from '../../db/queries/operation-reads.js';
import { confirmOperation, removeUnstartedOperation } from '../../db/queries/operation-starts.js';
import { isEnd } from '../../workflows/contract/operation/operation.js';
import { findHolder, findLost, type Occupied } from './holder.js';
import { launch, type Launch } from './launch.js';
import {
  type Caller,
  findReplay,
  record,
  type Recorded,
  type StartDeps,
  type StartRequest,
} from './record-start.js';
import { type Planned, planOperation } from './plan.js';
import { busy, unconfirmed } from './refusals.js';

/** An end is recorded some milliseconds before Temporal frees the subject: worth waiting for. */
const FREEING_MS = 2_000;
const FREEING_POLL_MS = 50;
/** How long an equal request, still being started by another caller, is waited for before it is started from here. */
const IN_FLIGHT_MS = 700;
/** One attempt, so that two fit into the write budget beside the check that Temporal is there. */
const LAUNCH_MS = 900;

export interface Started {
  status: 200 | 202;
  answerId: number | string;
  operation: OperationRow;
}

/** Attempts of a request whose equal predecessor was refused and took its row back while this one waited for it. */
const ROUNDS = 3;

/**
 * Starts an operation, at most once per request (`docs/contract/operations.md`, Identity and mutual exclusion): row,
 * idempotency key and audit are committed before Temporal is asked, so that an unanswered start can be repeated under
 * the same id.
 * 202 new, 200 the one that an equal request has started; 409 busy, 422 key reused, 503 Temporal away or unclear.
 * A caller that wants a plan gets it instead, and nothing is started.
 */
export async function startOperation<Params>(
  deps: StartDeps,
  request: StartRequest<Params>,
): Promise<Started | Planned> {
  const { kind, caller } = request;
  const digest = deps.digest(caller);
  if (caller.plan) return planOperation(deps, request, digest);
  for (let round = 0; round < ROUNDS; round += 1) {
    const replay = await findReplay(deps, caller, digest);
    if (replay === undefined && round === 0) await request.look?.();
    const outcome = replay ?? (await record(deps, request, digest));
    if (outcome.is === 'new') {
      const started = await carryOut(deps, outcome, caller, digest);
      deps.metrics.starts.inc({ kind, outcome: started.status === 202 ? 'started' : 'repeated' });
      return started;
    }
    const operation = await resume(deps, outcome.operation);
    if (operation === undefined) continue;
    deps.metrics.starts.inc({ kind, outcome: 'repeated' });
    return { status: 200, answerId: outcome.answerId, operation };
  }
  throw unconfirmed();
}

async function carryOut(
  deps: StartDeps,
  recorded: Recorded,
  caller: Caller,
  digest: string,
): Promise<Started> {
  const { row, answerId } = recorded;
  const { launched, holder } = await launchOnceFree(deps, row).catch(async (error: unknown) => {
    await takeBack(deps, recorded, caller, 'failed');
    throw error;
  });
  if (launched === 'unknown') throw unconfirmed();
  if (launched === 'started') return { status: 202, answerId, operation: await confirm(deps, row) };
  const removed = await takeBack(deps, recorded, caller, 'busy');
  if (!removed) return { status: 202, answerId, operation: await confirm(deps, row) };
  if (holder?.row?.requestDigest === digest) return { status: 200, answerId, operation: holder.row };
  throw busy(row.subject, holder);
}

/** Starts the row's workflow; a subject whose holder has ended, but is not let go yet, is waited for. */
async function launchOnceFree(
  deps: StartDeps,
  row: OperationRow,
): Promise<{ launched: Launch; holder?: Occupied }> {
  const giveUpAt = Date.now() + FREEING_MS;
  const lost = await findLost(deps, row.subject);
  if (lost !== undefined) return { launched: 'taken', holder: lost };
  for (;;) {
    const launched = await launchOrRepeat(deps, row);
    if (launched !== 'taken') return { launched };
    const holder = await findHolder(deps, row.subject);
    // started under our id after all, by a repetition elsewhere
    if (!holder.free && holder.run.operation === row.id) return { launched: 'started' };
    if (!holder.free) return { launched, holder };
    if (Date.now() > giveUpAt) return { launched };
    await sleep(FREEING_POLL_MS);
  }
}

/** An unanswered start is asked once more under the same id, unless the row shows that it has arrived. */
async function launchOrRepeat({ db, temporal }: StartDeps, row: OperationRow): Promise<Launch> {
  const first = await launch({ temporal, row, deadlineMs: LAUNCH_MS });
  if (first !== 'unknown') return first;
  const now = await findOperation(db, row.id);
  if (now !== undefined && hasArrived(now)) return 'started';
  return launch({ temporal, row, deadlineMs: LAUNCH_MS });
}

/** The operation of an equal request, started if it is not yet; undefined when its row was taken back. */
async function resume(deps: StartDeps, operation: string): Promise<OperationRow | undefined> {
  const startAt = Date.now() + IN_FLIGHT_MS;
  for (;;) {
    const row = await findOperation(deps.db, operation);
    if (row === undefined || hasArrived(row)) return row;
    if (Date.now() > startAt) return startLeftRow(deps, row);
    await sleep(FREEING_POLL_MS);
  }
}

async function startLeftRow(deps: StartDeps, row: OperationRow): Promise<OperationRow | undefined> {
  const launched = await launchOrRepeat(deps, row);
  if (launched === 'started') return confirm(deps, row);
  if (launched === 'unknown') throw unconfirmed();
  const removed = await deps.db.transaction((tx) => removeUnstartedOperation(tx, row.id));
  return removed ? undefined : findOperation(deps.db, row.id);
}

function hasArrived(row: OperationRow): boolean {
  return row.confirmedAt !== null || row.runId !== null || isEnd(row.state);
}

/** A failure to write that it has started changes nothing: the workflow's claim and the sweep write it too. */
async function confirm({ db }: StartDeps, row: OperationRow): Promise<OperationRow> {
  return (await confirmOperation(db, row.id).catch(() => undefined)) ?? row;
}

/** False when a workflow has claimed the row after all. */
async function takeBack(
  deps: StartDeps,
  recorded: Recorded,
  caller: Caller,
  outcome: string,
): Promise<boolean> {
  const { row, abandon } = recorded;
  const { actor, address, requestId, route } = caller;
  return deps.db.transaction(async (tx) => {
    if (!(await removeUnstartedOperation(tx, row.id))) return false;
    await abandon?.(tx);
    await recordAudit(tx, {
      actor,
      address,
      requestId,
      route,
      subject: row.subject,
      operationId: row.id,
      outcome,
    });
    return true;
  });
}
