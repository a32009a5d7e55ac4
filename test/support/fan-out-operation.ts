import type { ChildToStart, FanOutResult, FanOutRules } from '../../workflows/contract/operation/fan-out.js';
import type { OperationInput } from '../../workflows/contract/operation/operation.js';
import type { StepContext } from '../../workflows/contract/operation/step.js';
import { acts } from '../../workflows/operation/acts.js';
import { runOperation } from '../../workflows/operation/operation.js';

export interface FanOutParams {
  subject: string;
  /** of scripted operations, or of fan-outs of their own */
  children: ChildToStart[];
  of?: 'scripted' | 'fannedOut';
  rules: FanOutRules;
}

export interface ListActivities {
  list(input: { children: ChildToStart[] }, step: StepContext): Promise<ChildToStart[]>;
}

const lists = acts<ListActivities>('test');

/** A test operation that starts one operation for each of its children. */
export function fannedOut(input: OperationInput<FanOutParams>): Promise<FanOutResult> {
  const definition = {
    kind: 'fanned_out',
    workflow: 'fannedOut',
    subject: ({ subject }: FanOutParams) => subject,
    title: () => 'Fanned out',
    validate: () => undefined,
  };
  return runOperation(definition, input, (op) =>
    op.fanOut('all', {
      title: 'All of them',
      list: lists.list({ children: op.params.children }),
      of: {
        workflow: op.params.of ?? 'scripted',
        kind: op.params.of === 'fannedOut' ? 'fanned_out' : 'scripted',
        title: () => 'Scripted',
      },
      rules: op.params.rules,
    }),
  );
}
