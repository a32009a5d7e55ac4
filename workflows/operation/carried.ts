import { workflowInfo } from '@temporalio/workflow';
import type {
  OperationInput,
  OperationLimits,
  OperationView,
  StepError,
} from '../contract/operation/operation.js';
import type { AdmissionState } from './admission.js';
import type { Written } from './recorder.js';
import type { SagaEntry } from './saga.js';

/** What the next run of an operation starts with when its history has grown long: all that a run knows, as plain JSON. */
export interface Carried {
  view: OperationView;
  limits: OperationLimits;
  committed: boolean;
  cancelRequested: boolean;
  error: StepError | null;
  failedStep: string | null;
  seq: number;
  tries: [string, number][];
  /** one entry without a value: a step that answered nothing */
  results: [string, unknown?][];
  undos: SagaEntry[];
  written: Written;
  holds: number;
  heldBefore: string[];
  seenDecisions: string[];
  /** tables of fan-outs, by step */
  tables: [string, unknown][];
  /** dangerous states that are entered now */
  entered?: string[];
  /** what signals of the story's own have brought, by their names */
  signals?: [string, object[]][];
  admission?: AdmissionState;
}

/** Only what continue-as-new itself has handed over: whoever starts a workflow by hand cannot skip its claim. */
export function carriedOf(input: OperationInput<unknown> & { carried?: Carried }): Carried | undefined {
  return workflowInfo().continuedFromExecutionRunId === undefined ? undefined : input.carried;
}
