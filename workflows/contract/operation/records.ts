import type { AdmissionAnswer, AdmissionNeed } from './admission.js';
import type {
  Decision,
  Hold,
  Leftover,
  OperationLimits,
  OperationRequest,
  OperationState,
  StepError,
  Warning,
} from './operation.js';

export interface ClaimInput {
  request: OperationRequest;
  kind: string;
  subject: string;
  title: string;
  runId: string;
  params: unknown;
  /** where it works, as its row says from then on */
  places: string[];
  /** tried in the claim's own transaction */
  admission?: AdmissionNeed;
}

/** `refused`: the operation must not run; its row already says so. */
export type ClaimResult = { limits: OperationLimits; admission?: AdmissionAnswer } | { refused: string };

/** One line of the createlog; recorded once by its key. */
export interface LogLine {
  key: string;
  type: string;
  step: string | null;
  message: string;
  level: 'info' | 'warning' | 'error';
}

export interface OperationRecord {
  /** rises with every write: a late attempt of an older one changes nothing */
  number: number;
  operation: string;
  state: OperationState;
  hold: Hold | null;
  failedStep: string | null;
  warnings: Warning[];
  leftovers: Leftover[];
  decisions: Decision[];
  /** steps whose state the workflow decides, not an activity */
  steps: { key: string; state: 'running' | 'holding' | 'skipped' | 'failed' | 'done'; summary?: string }[];
  result: unknown;
  error: StepError | null;
  waitingFor?: string;
  /** admissions up to this taking are given back */
  giveBack?: number;
  lines: LogLine[];
}

export interface EditInput {
  kind: string;
  params: unknown;
  input: Record<string, unknown>;
}

export type EditResult = { ok: true; params: unknown } | { ok: false; message: string };

/** Bookkeeping that every operation needs; no step of its own. */
export interface OperationRecords {
  claimOperation(input: ClaimInput): Promise<ClaimResult>;
  recordOperation(record: OperationRecord): Promise<void>;
  /** checks an operator's changed input with the API's schema and answers the new parameters */
  checkEdit(input: EditInput): Promise<EditResult>;
}
