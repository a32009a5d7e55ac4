import type { Undo } from './step.js';

/** Whose clean-ups the nightly sweep's are. */
export const NIGHTLY_ACTOR = 'slipway:nightly';

export interface CleanupParams {
  /** whatever operations have left on it is undone */
  subject: string;
  /** where those operations worked */
  places?: string[];
}

/** An open entry of another operation's ledger. */
export interface LeftUndo extends Undo {
  of: string;
  /** its step in the clean-up: that of the act, made unique */
  key: string;
}

/** Detached commands of an operation that may still run at a place of its. */
export interface LeftJobs {
  key: string;
  operation: string;
  place: string;
}

export interface CleanupPlan {
  /** newest first */
  undos: LeftUndo[];
  jobs: LeftJobs[];
}

/** Bookkeeping of clean-ups. */
export interface CleanupRecords {
  /** `error`: what keeps it from being undone; null when it is */
  settleUndo(settled: { operation: string; id: string; error: string | null }): Promise<void>;
}
