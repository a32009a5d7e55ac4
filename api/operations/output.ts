import type { Db } from '../../db/database.js';
import { readOutputPage } from '../../db/queries/operation-output.js';
import { findOperation, findStep } from '../../db/queries/operation-reads.js';
import { isEnd, type StepState } from '../../workflows/contract/operation/operation.js';
import { Problem } from '../http/problem.js';
import type { Watches } from './watches.js';
import { follow, GATHER_MS, type StreamEvent } from './event-stream.js';

/** Of one page: enough that the kept 4 MiB are 16 requests, little enough for a page to be shown at once. */
const PAGE_BYTES = 256 * 1024;

export interface StepOutput {
  step: string;
  text: string;
  /** `after` of the next page */
  cursor: number;
  /** nothing more comes, unless the step is done once more */
  complete: boolean;
}

interface OutputOf {
  db: Db;
  operation: string;
  step: string;
  /** bytes of the step's output that the reader has */
  after: number;
}

/** One page of a step's raw output. 404 where there is no such operation, or no such step so far. */
export async function readOutput({ db, operation, step, after }: OutputOf): Promise<StepOutput> {
  // before the page: what was written before the step ended is then in it
  const over = await isOver(db, operation, step);
  const page = await readOutputPage(db, { operationId: operation, step, after, bytes: PAGE_BYTES });
  if (page === null) return { step, text: '', cursor: after, complete: over };
  return { step, ...page, complete: false };
}

async function isOver(db: Db, operation: string, step: string): Promise<boolean> {
  const [row, its] = await Promise.all([findOperation(db, operation), findStep(db, operation, step)]);
  if (row === undefined) throw new Problem('not_found', { detail: `There is no operation ${operation}` });
  if (its === undefined) throw new Problem('not_found', { detail: `There is no step ${step} so far` });
  return isEnd(row.state) || row.state === 'rolling_back' || SILENT.includes(its.state);
}

/** A failed step may be tried again, as long as its operation is neither rolled back nor over. */
const SILENT: readonly StepState[] = ['done', 'skipped', 'undone', 'undo_failed'];

/** The same, followed until the step or the operation is over: `output` under its cursor, at last `end`. */
export function followOutput(
  options: OutputOf & { watches: Watches; commentMs: number; signal: AbortSignal },
): AsyncGenerator<StreamEvent | null, void> {
  const { db, watches, operation, step, commentMs, signal } = options;
  let { after } = options;
  return follow({
    watches,
    // chunks, and the steps and ends that the operation tells of
    topics: [operation, `${operation}/${step}`],
    commentMs,
    signal,
    async look() {
      const { text, cursor, complete } = await readOutput({ db, operation, step, after });
      if (complete)
        return { events: [{ event: 'end', id: `${cursor}-end`, data: { cursor } }], again: 'never' };
      if (text === '') return { events: [], again: 'on change' };
      const full = cursor - after >= PAGE_BYTES;
      after = cursor;
      const event = { event: 'output', id: String(cursor), data: { text, cursor } };
      return { events: [event], again: full ? 0 : GATHER_MS };
    },
  });
}
