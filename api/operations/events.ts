import type { Db } from '../../db/database.js';
import {
  findOperation,
  listEvents,
  listSteps,
  type OperationEvent,
} from '../../db/queries/operation-reads.js';
import { isEnd } from '../../workflows/contract/operation/operation.js';
import type { Watches } from './watches.js';
import { follow, type Look, type StreamEvent } from './event-stream.js';
import { viewOfRow } from './view.js';

/** One read of lines; a client that comes late to a long operation gets them in several. */
const LINES = 500;

export interface FollowOperation {
  db: Db;
  watches: Watches;
  operation: string;
  /** number of the last line that the reader has */
  after: number;
  commentMs: number;
  signal: AbortSignal;
}

/**
 * What happens in an operation: `line` for each line of its log, under the line's number; `state` for where it stands,
 * at first and whenever it differs, also where no line tells of it, with the steps that differ; at last `end`.
 */
export function followOperation(options: FollowOperation): AsyncGenerator<StreamEvent | null, void> {
  const { watches, operation, commentMs, signal } = options;
  return follow({ watches, topics: [operation], commentMs, signal, look: createLook(options) });
}

function createLook({ db, operation, after }: FollowOperation): () => Promise<Look> {
  let seq = after;
  let shown = '';
  const shownSteps = new Map<string, string>();
  return async () => {
    // the row first: whatever it says has happened is in the lines and steps that are read after it
    const row = await findOperation(db, operation);
    // a start that was refused has taken its row back
    if (row === undefined) return { events: [], again: 'never' };
    const lines =
      row.lastEvent > seq ? await listEvents(db, { operationId: operation, after: seq, limit: LINES }) : [];
    const takeLines = (): StreamEvent[] => {
      seq = lines.at(-1)?.seq ?? seq;
      return lines.map(lineEvent);
    };
    if (lines.length === LINES) return { events: takeLines(), again: 0 };

    const { state, hold, waitingFor, warnings, leftovers, decisions, steps, endedAt } = viewOfRow(
      row,
      await listSteps(db, operation),
    );
    // only now, when no read can fail any more: what is counted as sent is sent
    const events = takeLines();
    const changed = steps.filter((step) => shownSteps.get(step.key) !== JSON.stringify(step));
    for (const step of changed) shownSteps.set(step.key, JSON.stringify(step));
    const now = {
      state,
      hold,
      ...(waitingFor === undefined ? {} : { waitingFor }),
      warnings,
      leftovers,
      decisions,
    };
    if (changed.length > 0 || shown !== JSON.stringify(now)) {
      shown = JSON.stringify(now);
      events.push({ event: 'state', data: { ...now, steps: changed } });
    }
    if (!isEnd(state)) return { events, again: 'on change' };
    events.push({ event: 'end', id: `${seq}-end`, data: { state, endedAt } });
    return { events, again: 'never' };
  };
}

function lineEvent(line: OperationEvent): StreamEvent {
  const { seq, time, type, step, message, level } = line;
  return {
    event: 'line',
    id: String(seq),
    data: { seq, time: time.toISOString(), type, step, message, level },
  };
}
