import type { OperationInput } from '../../workflows/contract/operation/operation.js';
import type { StepContext } from '../../workflows/contract/operation/step.js';
import { acts } from '../../workflows/operation/acts.js';
import { runOperation } from '../../workflows/operation/operation.js';

export interface PrintingActivities {
  /** lines from a remote command, some time apart */
  print(input: object, step: StepContext): Promise<void>;
}

export interface PrintingParams {
  subject: string;
}

const printingActs = acts<PrintingActivities>('bench');

const definition = {
  kind: 'printing',
  workflow: 'printing',
  subject: ({ subject }: PrintingParams) => subject,
  title: () => 'Print lines',
  validate: () => undefined,
};

export const STEP = 'print';

/** One step with a long remote command, as migrations and builds are. */
export function printing(input: OperationInput<PrintingParams>): Promise<void> {
  return runOperation(definition, input, async (op) => {
    await op.step(STEP, { title: 'Print lines', do: printingActs.print({}) });
  });
}
