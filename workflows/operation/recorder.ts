import { ActivityFailure, CancellationScope, log } from '@temporalio/workflow';
import { activitiesOf } from './acts.js';
import type { LogLine, OperationRecord, OperationRecords } from '../contract/operation/records.js';
import { createOutbox, type Outbox } from './outbox.js';
import { RECORD_TIMING } from './timing.js';

type Snapshot = Omit<OperationRecord, 'number' | 'lines' | 'steps'>;

/** How far the numbering of lines and records has come. */
export interface Written {
  lines: number;
  records: number;
}

export interface Recorder extends Pick<Outbox, 'step' | 'begins'> {
  line(line: Omit<LogLine, 'key'>): void;
  /** Writes what has gathered, also when the operation is being cancelled; gives up silently when Postgres is away. */
  flush(): Promise<void>;
  written(): Written;
}

/** Carries the workflow's own changes (holds, decisions, ends) to the projection, one write at a time, in order. */
export function createRecorder(
  snapshot: () => Snapshot,
  written: Written = { lines: 0, records: 0 },
): Recorder {
  const { recordOperation } = activitiesOf<OperationRecords>('operation', RECORD_TIMING);
  const outbox = createOutbox();
  let { lines: count, records: number } = written;
  let writing: Promise<void> = Promise.resolve();
  let waiting: Promise<void> | undefined;

  async function write(): Promise<void> {
    waiting = undefined;
    number += 1;
    const taken = outbox.take();
    const record: OperationRecord = { number, ...snapshot(), ...taken };
    try {
      await CancellationScope.nonCancellable(() => recordOperation(record));
    } catch (error) {
      if (!(error instanceof ActivityFailure)) throw error;
      // the next write takes them along
      outbox.giveBack(taken);
      log.warn('the projection was not written; the sweep repairs it from history');
    }
  }

  return {
    line(line) {
      count += 1;
      outbox.line({ key: `workflow:${count}`, ...line });
    },
    step: outbox.step,
    begins: outbox.begins,
    flush() {
      // a write that has not begun yet takes this change along: a flood of signals costs few writes
      waiting ??= writing.then(write);
      writing = waiting;
      return writing;
    },
    written: () => ({ lines: count, records: number }),
  };
}
