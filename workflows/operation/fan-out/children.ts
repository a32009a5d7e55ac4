import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { activitiesOf } from '../acts.js';
import { defineSignal, ParentClosePolicy, setHandler, sleep, startChild } from '@temporalio/workflow';
import {
  CHILD_SIGNAL,
  type ChildReport,
  type ChildToStart,
  type FanOutRecords,
  type SilentChild,
} from '../../contract/operation/fan-out.js';
import { titleOf } from '../../contract/operation/definition.js';
import { makeOperationId } from '../../contract/operation/ids.js';
import type { OperationRequest } from '../../contract/operation/operation.js';
import type { FanOutOptions, FanOutState } from './state.js';
import { type ChildEntry, hear, isStopped } from './table.js';
import type { Run } from '../run.js';
import { stepErrorOf } from '../step-failure.js';
import { RECORD_TIMING } from '../timing.js';
import { waits } from '../waits.js';

interface Children {
  /** Starts the child's operation under its subject; a busy one is waited for. */
  start(child: ChildToStart): Promise<void>;
  startWhenFree(child: ChildToStart): Promise<void>;
  /** Asks now and then about children that have said nothing for long; never returns. */
  watchSilent(): Promise<void>;
  lookAt(children: SilentChild[]): Promise<void>;
}

/** Starts children and hears of them: by their signals, by their ends, and by asking about silent ones. */
export function createChildren(state: FanOutState): Children {
  const { run, options, children, table, busyWaits } = state;
  const { lookAtChildren } = activitiesOf<FanOutRecords>('operation', RECORD_TIMING);

  setHandler(defineSignal<[ChildReport]>(CHILD_SIGNAL), (report) => {
    if (typeof report === 'object' && report !== null) take(report);
  });

  function take(report: ChildReport): void {
    if (hear(table, report, Date.now())) state.changes += 1;
  }

  async function watchSilent(): Promise<void> {
    for (;;) {
      await sleep(run.limits.silenceMs);
      await askAboutSilent();
    }
  }

  async function askAboutSilent(): Promise<void> {
    const since = Date.now() - run.limits.silenceMs;
    // of one whose start is still on its way nobody knows anything but the start itself
    const silent = [...table].flatMap(([subject, { state: is, operation, runId, heardAt }]) =>
      ['running', 'holding'].includes(is) && operation !== null && runId !== undefined && heardAt <= since
        ? [{ subject, operation }]
        : [],
    );
    await lookAt(silent);
  }

  async function lookAt(silent: SilentChild[]): Promise<void> {
    const before = new Map(silent.map(({ subject }) => [subject, table.get(subject)]));
    const reports = silent.length === 0 ? [] : await lookAtChildren({ children: silent }).catch(() => []);
    // who spoke, or was decided on, while its record was read is ahead of it
    for (const report of reports) if (table.get(report.subject) === before.get(report.subject)) take(report);
  }

  async function start(child: ChildToStart): Promise<void> {
    state.starting += 1;
    const id = makeOperationId(Date.now(), Math.random);
    set(child, { state: 'running', operation: id, heardAt: Date.now() });
    try {
      const handle = await startChild(options.of.workflow, childOptions(run, options, child, id));
      const { runId: _former, ...entry } = table.get(child.subject) as ChildEntry;
      table.set(child.subject, { ...entry, runId: handle.firstExecutionRunId });
      void handle.result().then(
        () => ended(child, id, 'succeeded'),
        (thrown: unknown) => ended(child, id, 'rolled_back', thrown),
      );
    } catch (thrown) {
      if (!(thrown instanceof WorkflowExecutionAlreadyStartedError)) throw thrown;
      const until = Date.now() + run.limits.gateWaitMs;
      set(child, { state: 'busy', operation: null, heardAt: Date.now(), busyUntil: until });
      void startWhenFree(child);
    } finally {
      state.starting -= 1;
      state.changes += 1;
    }
  }

  /** The subject has an operation of somebody else: it is waited for, never run beside. */
  async function startWhenFree(child: ChildToStart): Promise<void> {
    const { busyUntil = 0 } = table.get(child.subject) as ChildEntry;
    const waitMs = Math.max(busyUntil - Date.now(), 1);
    const waited = await busyWaits
      .run(() => waits().awaitSubject({ subject: child.subject, waitMs }))
      .catch((thrown: unknown) => ({ free: false as const, holder: reasonOf(thrown) }));
    state.changes += 1;
    const stopped = state.closing || isStopped(children, table, options.rules);
    if (stopped) return set(child, { state: 'waiting', operation: null, heardAt: Date.now() });
    if (waited.free) return start(child);
    const reason = `still busy with ${waited.holder}`;
    set(child, { state: 'failed', operation: null, heardAt: Date.now(), reason });
  }

  function ended(
    { subject }: ChildToStart,
    operation: string,
    end: 'succeeded' | 'rolled_back',
    thrown?: unknown,
  ): void {
    const reason = thrown === undefined ? {} : { reason: reasonOf(thrown) };
    take({ subject, operation, state: end, ...reason });
  }

  function set({ subject }: ChildToStart, entry: ChildEntry): void {
    table.set(subject, entry);
  }

  return { start, startWhenFree, watchSilent, lookAt };
}

function childOptions(run: Run, { of }: FanOutOptions, child: ChildToStart, id: string) {
  const { actor, requestId, root, onFailure, holdWindowMs } = run.request;
  const title = titleOf(of, child.params as never, child.named);
  const operation: OperationRequest = {
    id,
    actor,
    requestId,
    title,
    parent: { workflowId: run.subject, operation: run.request.id },
    root: root ?? run.request.id,
    ...(onFailure === undefined ? {} : { onFailure }),
    ...(holdWindowMs === undefined ? {} : { holdWindowMs }),
  };
  return {
    workflowId: child.subject,
    args: [{ operation, params: child.params }],
    // with any other policy continue-as-new or a dead parent would end the children
    parentClosePolicy: ParentClosePolicy.ABANDON,
    cancellationType: 'ABANDON' as const,
    workflowIdReusePolicy: 'ALLOW_DUPLICATE' as const,
    memo: { operation: id, kind: of.kind, subject: child.subject, title, actor, requestId },
  };
}

function reasonOf(thrown: unknown): string {
  try {
    return stepErrorOf(thrown).message;
  } catch {
    return 'cancelled';
  }
}
