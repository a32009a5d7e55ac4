import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  CancellationScope,
  type ChildWorkflowHandle,
  condition,
  ParentClosePolicy,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
import { failure } from '../contract/operation/failures.js';
import { ENGINE_KINDS } from '../contract/operation/kinds.js';
import { makeOperationId } from '../contract/operation/ids.js';
import { type LendParams, LENT_SIGNAL, type Lent, RELEASE_SIGNAL } from '../contract/operation/lend.js';
import type { OperationInput, OperationRequest, StepError } from '../contract/operation/operation.js';
import type { Run } from './run.js';
import { collectSignals } from './signals.js';
import { stepErrorOf } from './step-failure.js';
import { waits, whileShown } from './waits.js';

type Lend = (input: OperationInput<LendParams>) => Promise<void>;

interface Loan {
  operation: string;
  handle: ChildWorkflowHandle<Lend>;
  /** set once it has ended; `error`: not well */
  ended?: { error?: StepError };
}

export interface Loans {
  readonly subjects: readonly string[];
  /** Takes all of them, or throws `Conflict`. */
  take(): Promise<void>;
  /** Frees them and waits until they are free. */
  release(): Promise<void>;
}

/**
 * Subjects beside the operation's own, each held by a child workflow under its id. They are taken in order, and only a
 * subject that sorts after the own one is waited for: so no two borrowers ever wait for each other.
 */
export function createLoans(run: Run, wanted: readonly string[]): Loans {
  const subjects = [...new Set(wanted)].sort();
  if (subjects.length === 0) return { subjects, take: async () => undefined, release: async () => undefined };
  if (subjects.includes(run.subject)) throw failure('InvalidInput', `${run.subject} cannot borrow itself`);
  if (workflowInfo().continuedFromExecutionRunId !== undefined) {
    throw failure('InvalidInput', 'an operation that borrows subjects never continues as new');
  }
  const lent = collectSignals<Lent>(LENT_SIGNAL);
  const loans: Loan[] = [];

  async function borrow(subject: string): Promise<void> {
    const since = new Date().toISOString();
    for (;;) {
      const loan = await start(run, subject);
      if (loan !== undefined) return claimed(subject, loan);
      const now = await waits().awaitSubject({ subject, waitMs: 0 });
      if (now.free) continue;
      if (run.subject > subject) throw failure('Conflict', `${subject} is busy with ${now.holder}`);
      const wait = { subject, waitMs: run.limits.busyWaitMs, since };
      const shown = `${subject} (${now.holder})`;
      const waited = await whileShown(run, shown, () => waits().awaitSubject(wait));
      if (!waited.free) throw failure('Conflict', `${subject} is still busy with ${waited.holder}`);
    }
  }

  /** It is ours once its claim went well: a subject with open undos refuses it like any other operation. */
  async function claimed(subject: string, loan: Loan): Promise<void> {
    loans.push(loan);
    await condition(
      () => loan.ended !== undefined || lent.some(({ operation }) => operation === loan.operation),
    );
    if (loan.ended === undefined) return;
    const { kind, message } = loan.ended.error ?? { kind: 'Conflict' as const, message: 'it was given back' };
    throw failure(kind, `${subject}: ${message}`);
  }

  return {
    subjects,
    async take() {
      for (const subject of subjects) await borrow(subject);
    },
    async release() {
      await CancellationScope.nonCancellable(async () => {
        await Promise.all(
          // one that cannot be signalled has ended
          loans.map(({ handle }) => handle.signal(RELEASE_SIGNAL).catch(() => undefined)),
        );
        await condition(() => loans.every(({ ended }) => ended !== undefined));
      });
    },
  };
}

/** Undefined: somebody has the subject. Not cancellable, as the loan must outlive the undos. */
async function start(run: Run, subject: string): Promise<Loan | undefined> {
  const { actor, requestId, id, root = id } = run.request;
  const operation = makeOperationId(Date.now(), Math.random);
  const title = `Lend ${subject} to ${run.view().title}`;
  const request: OperationRequest = { id: operation, actor, requestId, title, root };
  const params: LendParams = { subject, borrower: { workflowId: run.subject, operation: id } };
  try {
    return await CancellationScope.nonCancellable(async () => {
      const handle = await startChild<Lend>(ENGINE_KINDS.lend.workflow, {
        workflowId: subject,
        args: [{ operation: request, params }],
        // a borrower that dies frees the subject
        parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
        workflowIdReusePolicy: 'ALLOW_DUPLICATE',
        memo: { operation, kind: ENGINE_KINDS.lend.kind, subject, title, actor, requestId },
      });
      const loan: Loan = { operation, handle };
      void handle.result().then(
        () => void (loan.ended = {}),
        (thrown: unknown) => void (loan.ended = { error: errorOf(thrown) }),
      );
      return loan;
    });
  } catch (thrown) {
    if (thrown instanceof WorkflowExecutionAlreadyStartedError) return undefined;
    throw thrown;
  }
}

function errorOf(thrown: unknown): StepError {
  try {
    return stepErrorOf(thrown);
  } catch {
    return { kind: 'Conflict', message: 'it was cancelled' };
  }
}
