/** An activity call as data: what a step does, and what undoes it, are both of this shape. */
export interface Act<Result = unknown> {
  activity: string;
  input: unknown;
  /** type only: never set */
  readonly result?: Result;
}

/** The functions of an activity factory, as a workflow sees them: typed makers of acts. */
export type Acts<Activities> = {
  [Name in keyof Activities]: Activities[Name] extends (
    input: infer Input,
    step: StepContext,
  ) => Promise<infer Result>
    ? (input: Input) => Act<Result>
    : never;
};

/** One entry of the undo ledger (`operation_undos`); it travels with its act and is written before the act runs. */
export interface Undo {
  /** `<step>#<seq>` of the act that it undoes */
  id: string;
  title: string;
  activity: string;
  input: unknown;
  /** the operation whose ledger has it, where a clean-up runs it; absent: the step's own */
  of?: string;
}

/** Second argument of every activity call of an operation: which step it is, on whose behalf. */
export interface StepRef {
  operation: string;
  subject: string;
  step: string;
  title: string;
  phase: 'do' | 'undo';
  /** rises with every call of the operation; (operation, seq, attempt) is the fence on hosts */
  seq: number;
  /** 1 + number of operators' retries of this step; part of job keys */
  try: number;
  /** with `do`: what undoes this act; with `undo`: the ledger entry that is being undone */
  undo?: Undo;
  /** the step whose dangerous state this act leaves on success: its open undos are done with */
  closes?: string;
  /** the point of no return is behind: open undos are kept */
  committed?: true;
  /** a check of a plan: nothing of it is recorded, and it must change nothing */
  planning?: true;
}

/** What an activity gets beside its input: the step, and its ties to the attempt that runs it. */
export interface StepContext extends StepRef {
  /** 1, 2, … over automatic retries */
  attempt: number;
  /** aborted when this attempt must stop writing: cancelled, timed out, lost, or its worker shuts down */
  signal: AbortSignal;
  /** true when a person cancelled (or the operation rolls back): only then may remote work be ended */
  cancelRequested(): boolean;
  /** what the attempt before this one said last through `beat` */
  lastBeat: unknown;
  /** keeps `details` for the next attempt; liveness itself is reported by a timer of the interceptor */
  beat(details: unknown): void;
  /** sets the line that views show beside the step */
  summarize(summary: string): void;
}

/** Ordered by (operation, seq, attempt), as text of fixed width. A host refuses whatever is lower than it has seen. */
export function fenceOf(step: Pick<StepContext, 'operation' | 'seq' | 'attempt'>): string {
  return `${step.operation}.${String(step.seq).padStart(6, '0')}.${String(step.attempt).padStart(6, '0')}`;
}

/** Key of once-only effects that cannot be looked up (mails, webhooks): run ids change, operation ids do not. */
export function effectKey(step: Pick<StepRef, 'operation' | 'step'>): string {
  return `${step.operation}-${step.step}`;
}

/** Key of a detached remote command: an automatic retry finds it again, an operator's retry starts afresh. */
export function jobKey(step: Pick<StepRef, 'operation' | 'step' | 'try'>): string {
  return `${effectKey(step)}-${step.try}`.toLowerCase();
}
