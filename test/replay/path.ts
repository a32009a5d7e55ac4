import type { WorkflowHandle } from '@temporalio/client';
import { failure } from '../../workflows/contract/operation/failures.js';
import type { OperationView } from '../../workflows/contract/operation/operation.js';
import type { StepContext } from '../../workflows/contract/operation/step.js';

export interface RecordedRun {
  handle: WorkflowHandle;
  /** waits until the operation holds for the `number`th time */
  held(number: number): Promise<OperationView>;
}

/** One history: how the workflow is started, what happens to it, and how it must end. */
export interface RecordedPath {
  workflow: string;
  path: string;
  subject: string;
  params: unknown;
  /** subjects of its children, whose acts are injected into as well */
  children?: string[];
  /** before (`do:key`) an act's effect, by number of the step's try */
  inject?(step: StepContext, handle: WorkflowHandle): Promise<void> | void;
  drive?(run: RecordedRun): Promise<void>;
  /** of a chain: the run that was continued as new, not the last one */
  firstRun?: true;
  ends: string;
}

export const client = (clientId: number) => ({ clientId, serverId: 1 });

/** A failure of the step's first try; an operator's retry then succeeds. */
export function failsFirst(key: string, kind: 'CommandFailed' | 'Conflict') {
  return (step: StepContext): void => {
    if (step.phase !== 'do' || step.step !== key || step.try > 1) return;
    throw failure(kind, `${step.title}: refused`, { hint: 'mend it' });
  };
}

export async function retryOnce({ handle, held }: RecordedRun): Promise<void> {
  await held(1);
  await handle.signal('retry', { id: 'd1', note: 'mended', actor: 'ops', hold: 1 });
}
