import { ActivityFailure, CancellationScope, log, proxyActivities } from '@temporalio/workflow';
import type { LogLine, OperationRecord, OperationRecords } from '../contract/records.js';
import { RECORD_TIMING } from './timing.js';

type Snapshot = Omit<OperationRecord, 'number' | 'lines' | 'steps'>;

export interface Recorder {
  line(line: Omit<LogLine, 'key'>): void;
  step(step: OperationRecord['steps'][number]): void;
  /** Writes what has gathered, also when the operation is being cancelled; gives up silently when Postgres is away. */
  flush(): Promise<void>;
}

/** Carries the workflow's own changes (holds, decisions, ends) to the projection, one write at a time, in order. */
export function createRecorder(snapshot: () => Snapshot): Recorder {
  const { recordOperation } = proxyActivities<OperationRecords>(RECORD_TIMING);
  let lines: LogLine[] = [];
  let steps: OperationRecord['steps'] = [];
  let count = 0;
  let number = 0;
  let writing: Promise<void> = Promise.resolve();
  let waiting: Promise<void> | undefined;

  async function write(): Promise<void> {
    waiting = undefined;
    number += 1;
    const record: OperationRecord = { number, ...snapshot(), lines, steps };
    lines = [];
    steps = [];
    try {
      await CancellationScope.nonCancellable(() => recordOperation(record));
    } catch (error) {
      if (!(error instanceof ActivityFailure)) throw error;
      // the next write takes them along
      lines = [...record.lines, ...lines];
      steps = [...record.steps, ...steps];
      log.warn('the projection was not written; the sweep repairs it from history');
    }
  }

  return {
    line(line) {
      count += 1;
      lines.push({ key: `workflow:${count}`, ...line });
    },
    step(step) {
      steps.push(step);
    },
    flush() {
      // a write that has not begun yet takes this change along: a flood of signals costs few writes
      waiting ??= writing.then(write);
      writing = waiting;
      return writing;
    },
  };
}
