import { WorkflowNotFoundError } from '@temporalio/client';
import type { Db } from '../../db/database.js';
import { findOperation, type OperationRow } from '../../db/queries/operation-reads.js';
import { findOpenOperation } from '../../db/queries/operation-starts.js';
import { isEnd } from '../../workflows/contract/operation/operation.js';
import { firstRunOf, isOpen, operationOf } from '../../workflows/contract/operation/runs.js';
import type { Temporal } from './temporal.js';

/** A local describe takes a few milliseconds; this is for a busy server. */
const DESCRIBE_MS = 800;
export interface Run {
  workflowId: string;
  runId: string;
  /** of the chain that continue-as-new makes: the one that an operation's row names */
  firstRunId: string;
  /** undefined for a workflow that was started by hand, until it has told */
  operation: string | undefined;
  kind: string;
  running: boolean;
}

/** The current run under a workflow id, or null. */
export async function describeRun(
  temporal: Temporal,
  workflowId: string,
  deadlineMs = DESCRIBE_MS,
): Promise<Run | null> {
  try {
    const description = await temporal.within(deadlineMs, () =>
      temporal.client.workflow.getHandle(workflowId).describe(),
    );
    const { runId, type: kind } = description;
    return {
      workflowId,
      runId,
      firstRunId: firstRunOf(description),
      operation: operationOf(description),
      kind,
      running: isOpen(description),
    };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return null;
    throw error;
  }
}

export type Holder =
  /** nobody any more, or somebody whose end is recorded: free in a moment */
  { free: true } | { free: false; row: OperationRow | undefined; run: Run };

/** Who holds a subject, by Temporal's word. */
export async function findHolder(
  { db, temporal }: { db: Db; temporal: Temporal },
  subject: string,
): Promise<Holder> {
  const run = await describeRun(temporal, subject);
  if (run === null || !run.running) return { free: true };
  const row = run.operation === undefined ? undefined : await findOperation(db, run.operation);
  if (row !== undefined && (row.runId === null || row.runId === run.firstRunId) && isEnd(row.state))
    return { free: true };
  return { free: false, row, run };
}

/**
 * The operation that a subject still has by its row, though not in Temporal: its end, or all of Temporal's database,
 * was lost, and until the sweep has looked nobody knows what it left.
 */
export async function findLost(deps: { db: Db; temporal: Temporal }, subject: string) {
  const open = await findOpenOperation(deps.db, subject);
  if (open === undefined || !(await findHolder(deps, subject)).free) return undefined;
  const row = await findOperation(deps.db, open.id);
  if (row === undefined || isEnd(row.state)) return undefined;
  const { id: operation, kind, runId } = row;
  const lost = runId ?? '';
  const run: Run = { workflowId: subject, runId: lost, firstRunId: lost, operation, kind, running: false };
  return { free: false as const, row, run };
}

/** A subject that somebody holds. */
export type Occupied = Extract<Holder, { free: false }>;
