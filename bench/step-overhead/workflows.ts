import { proxyActivities } from '@temporalio/workflow';
import { failure } from '../../workflows/contract/operation/failures.js';
import type { OperationInput } from '../../workflows/contract/operation/operation.js';
import type { StepContext } from '../../workflows/contract/operation/step.js';
import { acts } from '../../workflows/operation/acts.js';
import { runOperation } from '../../workflows/operation/operation.js';

export interface MeasuredActivities {
  nothing(input: object, step: StepContext): Promise<void>;
  /** `true` in a script on the host */
  remoteTrue(input: object, step: StepContext): Promise<void>;
}

export interface MeasuredParams {
  subject: string;
  steps: number;
  activity: keyof MeasuredActivities;
}

const measuredActs = acts<MeasuredActivities>('bench');

const definition = {
  kind: 'measured',
  workflow: 'measured',
  subject: ({ subject }: MeasuredParams) => subject,
  title: ({ steps }: MeasuredParams) => `Take ${steps} steps`,
  validate({ steps }: MeasuredParams) {
    if (!Number.isInteger(steps)) throw failure('InvalidInput', '"steps" must be a number');
  },
};

/** So many steps of one kind, each with an undo, as the steps of operations have them. */
export function measured(input: OperationInput<MeasuredParams>): Promise<void> {
  return runOperation(definition, input, async (op) => {
    const { steps, activity } = op.params;
    for (let number = 1; number <= steps; number += 1) {
      const title = `Take step ${number}`;
      await op.step(`step-${number}`, {
        title,
        do: measuredActs[activity]({}),
        undo: measuredActs.nothing({}),
      });
    }
  });
}

/** The same number of activities, and Temporal alone around them. */
export async function bare({ steps }: { steps: number }): Promise<void> {
  const { bareNothing } = proxyActivities<{ bareNothing(): Promise<void> }>({
    startToCloseTimeout: '2 minutes',
    heartbeatTimeout: '10 seconds',
  });
  for (let number = 1; number <= steps; number += 1) await bareNothing();
}
