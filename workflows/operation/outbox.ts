import type { LogLine, OperationRecord } from '../contract/operation/records.js';

export interface Waiting {
  lines: LogLine[];
  steps: OperationRecord['steps'];
}

/** What the workflow's next record says. Pure. */
export interface Outbox {
  line(line: LogLine): void;
  step(step: OperationRecord['steps'][number]): void;
  /** From here on attempts tell the state of this step: what was to be said of it before is out of date. */
  begins(step: string): void;
  take(): Waiting;
  /** What was taken last could not be written. */
  giveBack(taken: Waiting): void;
}

export function createOutbox(): Outbox {
  let lines: Waiting['lines'] = [];
  let steps: Waiting['steps'] = [];
  const begun = new Set<string>();
  return {
    line: (line) => void lines.push(line),
    step: (step) => void steps.push(step),
    begins(step) {
      begun.add(step);
      steps = steps.filter(({ key }) => key !== step);
    },
    take() {
      const taken = { lines, steps };
      lines = [];
      steps = [];
      begun.clear();
      return taken;
    },
    giveBack(taken) {
      lines = [...taken.lines, ...lines];
      steps = [...taken.steps.filter(({ key }) => !begun.has(key)), ...steps];
    },
  };
}
