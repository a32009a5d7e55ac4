import { Context } from '@temporalio/activity';
import { findOperation } from '../../db/queries/operation-reads.js';
import type { Db } from '../../db/database.js';
import type {
  SubjectAnswer,
  SubjectWait,
  WaitActivities,
} from '../../workflows/contract/operation/admission.js';
import { lookUntil } from './waiting.js';

/** The newest run under a workflow id. */
export interface SubjectRun {
  running: boolean;
  /** undefined: it says nothing of an operation */
  operation: string | undefined;
  kind: string;
}

/** Temporal's word on who holds a subject; null: it knows no run of that id. Throws while Temporal is away. */
export type Describe = (workflowId: string) => Promise<SubjectRun | null>;

export interface SubjectsOptions {
  db: Db;
  describe: Describe;
  /** a describe costs Temporal little, and who waits is seldom */
  lookEveryMs?: number;
}

/** An end is recorded some milliseconds before the subject is free: that much is waited for even by who only looks. */
const FREEING_MS = 2_000;

export function createSubjects({
  db,
  describe,
  lookEveryMs = 500,
}: SubjectsOptions): Pick<WaitActivities, 'awaitSubject'> {
  return {
    async awaitSubject({ subject, waitMs, since, operation }: SubjectWait): Promise<SubjectAnswer> {
      const from = since === undefined ? Context.current().info.scheduledTimestampMs : Date.parse(since);
      const until = waitMs === null ? Number.POSITIVE_INFINITY : from + waitMs;
      const freeing = Date.now() + FREEING_MS;
      return lookUntil(async () => {
        const run = await describe(subject);
        if (run === null || !run.running) return { free: true };
        if (operation !== undefined && run.operation !== operation) return { free: true };
        const row = run.operation === undefined ? undefined : await findOperation(db, run.operation);
        const ended = row !== undefined && row.endedAt !== null;
        if (Date.now() < (ended ? Math.max(until, freeing) : until)) return undefined;
        return { free: false, holder: `${row?.kind ?? run.kind} ${run.operation ?? ''}`.trim() };
      }, lookEveryMs);
    },
  };
}
