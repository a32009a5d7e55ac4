import { isGrpcDeadlineError, WorkflowNotFoundError } from '@temporalio/client';
import {
  type HistoryEvent,
  idOf,
  itemsOf,
  type TimelineItem,
  type TimelineState,
} from '../../workflows/contract/operation/timeline.js';
import { grpcCode } from '../http/errors.js';
import { invalidInput } from '../http/router.js';
import type { Temporal } from './temporal.js';
import { isOpen } from '../../workflows/contract/operation/runs.js';
import type { Place } from './timeline-place.js';

/** A page of history is read within milliseconds; this is for a busy server. */
const READ_MS = 2_000;
/** Counted in transactions of a few events each: what one page of answers costs, however long the history is. */
const PAGE_SIZE = 100;
/** Pages of bookkeeping that one answer reads; what comes later is for the next. */
const PAGES = 5;
const NOT_FOUND = 5;
const INVALID_ARGUMENT = 3;

interface Read {
  subject: string;
  from: Place;
  limit: number;
}

/**
 * Items behind a place in the history, over continue-as-new. `next` is null at the end of a closed operation, and for
 * an open one the place of what will come. Undefined when Temporal does not have the run.
 */
export async function readHistory(
  temporal: Temporal,
  { subject, from, limit }: Read,
): Promise<{ items: TimelineItem[]; next: Place | null } | undefined> {
  const items: TimelineItem[] = [];
  let at = from;
  for (let pages = 0; pages < PAGES && items.length < limit; pages += 1) {
    const length = await openLength(temporal, subject, at.runId);
    if (length === undefined) return pages === 0 ? undefined : { items, next: at };
    // asked for more, the server would wait for it
    if (length !== null && at.seen >= length) break;
    const page = await readPage(temporal, subject, at);
    if (page === undefined) return pages === 0 ? undefined : { items, next: at };
    if (page === 'nothing new') break;
    const taken = take(page.events, at, limit - items.length);
    items.push(...taken.items);
    if (taken.cutAt !== null) return { items, next: { ...at, after: taken.cutAt, state: taken.state } };
    const last = page.events.at(-1);
    const seen = last === undefined ? at.seen : idOf(last.eventId);
    if (page.token !== null) {
      at = { ...at, after: lastKept(page.events) ?? at.after, seen, token: page.token, state: taken.state };
      continue;
    }
    const runId = last?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId;
    if (!runId) return { items, next: null };
    at = { run: taken.state.run, after: 0, runId, token: null, seen: 0, state: taken.state };
  }
  return { items, next: at };
}

/** Events of a run that is open; null when it is closed, undefined when there is none. */
async function openLength(
  temporal: Temporal,
  subject: string,
  runId: string,
): Promise<number | null | undefined> {
  try {
    const handle = temporal.client.workflow.getHandle(subject, runId);
    const description = await temporal.within(READ_MS, () => handle.describe());
    const goesOn = isOpen(description) && description.status.name !== 'CONTINUED_AS_NEW';
    return goesOn ? description.historyLength : null;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}

async function readPage(temporal: Temporal, subject: string, at: Place) {
  const { workflowService } = temporal.connection;
  try {
    const { history, nextPageToken } = await temporal.within(READ_MS, () =>
      workflowService.getWorkflowExecutionHistory({
        namespace: temporal.namespace,
        execution: { workflowId: subject, runId: at.runId },
        maximumPageSize: PAGE_SIZE,
        // makes the server answer a token for what is still to come
        waitNewEvent: true,
        ...(at.token === null ? {} : { nextPageToken: Buffer.from(at.token, 'base64') }),
      }),
    );
    const token = nextPageToken?.length ? Buffer.from(nextPageToken).toString('base64') : null;
    return { events: history?.events ?? [], token };
  } catch (error) {
    if (grpcCode(error) === NOT_FOUND) return undefined;
    if (isGrpcDeadlineError(error) && at.token !== null) return 'nothing new' as const;
    if (grpcCode(error) === INVALID_ARGUMENT && at.token !== null) {
      throw invalidInput([{ field: 'cursor', message: 'must be the cursor of a page before' }]);
    }
    throw error;
  }
}

interface Taken {
  items: TimelineItem[];
  state: TimelineState;
  /** the event of the last item, when the page holds more */
  cutAt: number | null;
}

function take(page: HistoryEvent[], { after, state }: Place, limit: number): Taken {
  const events = page.filter(({ eventId }) => idOf(eventId) > after);
  const all = itemsOf(events, state);
  const cutAt = all.items[limit - 1]?.event;
  if (all.items.length <= limit || cutAt === undefined) return { ...all, cutAt: null };
  const kept = events.filter(({ eventId }) => idOf(eventId) <= cutAt);
  return { ...itemsOf(kept, state), cutAt };
}

/**
 * The newest event that is certain to stay: a workflow task that fails is shown at the end of history under ids that
 * later events get.
 */
function lastKept(events: HistoryEvent[]): number | undefined {
  const kept = events.findLast(
    (event) => !event.workflowTaskScheduledEventAttributes && !event.workflowTaskStartedEventAttributes,
  );
  return kept && idOf(kept.eventId);
}
