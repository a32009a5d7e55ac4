import { ActivityFailure, CancellationScope, log, proxyActivities } from '@temporalio/workflow';
import type { LogLine, OperationRecord, OperationRecords } from '../contract/records.js';
import { RECORD_TIMING } from './timing.js';

type Snapshot = Omit<OperationRecord, 'lines' | 'steps'>;

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
  let queue: Promise<void> = Promise.resolve();

  async function write(): Promise<void> {
    const record: OperationRecord = { ...snapshot(), lines, steps };
    lines = [];
    steps = [];
    try {
      await CancellationScope.nonCancellable(() => recordOperation(record));
    } catch (error) {
      if (!(error instanceof ActivityFailure)) throw error;
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
      queue = queue.then(write);
      return queue;
    },
  };
}
