import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  CancellationScope,
  CancelledFailure,
  condition,
  defineSignal,
  getExternalWorkflowHandle,
  makeContinueAsNewFunc,
  ParentClosePolicy,
  proxyActivities,
  setHandler,
  sleep,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
import {
  CHILD_SIGNAL,
  type ChildReport,
  type ChildToStart,
  type FanOutRecords,
  type FanOutResult,
  type FanOutRules,
  type SilentChild,
} from '../contract/fan-out.js';
import { failure } from '../contract/failures.js';
import { makeOperationId } from '../contract/ids.js';
import type { OperationInput, OperationRequest } from '../contract/operation.js';
import type { Act } from '../contract/step.js';
import {
  type ChildEntry,
  count,
  hear,
  isStopped,
  newTable,
  resultOf,
  startable,
  summarize,
  type Table,
} from './fan-out-table.js';
import type { Run } from './run.js';
import { hold, warn } from './settle.js';
import { StepFailed, stepErrorOf } from './step-failure.js';
import type { Steps } from './steps.js';
import { RECORD_TIMING } from './timing.js';
import { waits } from './waits.js';

export interface FanOutOptions {
  title: string;
  /** who takes part, in the order of starting */
  list: Act<ChildToStart[]>;
  /** workflow type of every child, and its kind */
  workflow: string;
  kind: string;
  rules: FanOutRules;
}

/** `spec/operations.md`: a child that says nothing is asked about after this long. */
const SILENCE_MS = 5 * 60_000;
/** List and table are handed from run to run, some 200 bytes for each child, and a payload takes 2 MB. */
const CHILDREN_LIMIT = 5_000;

/**
 * Starts one operation for each of many subjects, some at a time, and waits for all. A child that fails or holds does
 * not stop the others until the rules say so; then the parent holds: `retry` goes on with the failed ones, `rollback`
 * starts no more. What has been done stays. The table survives continue-as-new.
 */
export function createFanOut(run: Run, { step }: Pick<Steps, 'step'>) {
  return async function fanOut(key: string, options: FanOutOptions): Promise<FanOutResult> {
    const doneKey = `${key}-done`;
    if (run.results.has(doneKey)) return run.results.get(doneKey) as FanOutResult;
    const children = await step(key, { title: options.title, do: options.list, planned: [] });
    if (children.length > CHILDREN_LIMIT)
      throw failure(
        'InvalidInput',
        `${children.length} are too many for one fan-out: at most ${CHILDREN_LIMIT}`,
      );
    const carried = run.tables.get(key) as CarriedTable | undefined;
    const table: Table = carried === undefined ? newTable(children) : new Map(carried.entries);
    const drive = createDrive({ run, key, options, children, table, closing: carried?.closing ?? false });
    const result = await CancellationScope.nonCancellable(drive);
    run.results.set(doneKey, result);
    return result;
  };
}

interface CarriedTable {
  entries: [string, ChildEntry][];
  closing: boolean;
}

interface DriveParts {
  run: Run;
  key: string;
  options: FanOutOptions;
  children: readonly ChildToStart[];
  table: Table;
  /** nothing more is started: a person said so, cancelled, or let the window pass */
  closing: boolean;
}

function createDrive({ run, key, options, children, table, closing }: DriveParts) {
  const { lookAtChildren } = proxyActivities<FanOutRecords>(RECORD_TIMING);
  /** rises with everything that happens, so that the loop looks again */
  let changes = 0;
  /** starts that are on their way; the run is not continued as new before they are answered */
  let starting = 0;
  let recorded = '';
  /** waits for busy subjects; nobody waits any more once nothing is started */
  const busyWaits = new CancellationScope();

  setHandler(defineSignal<[ChildReport]>(CHILD_SIGNAL), (report) => {
    if (typeof report === 'object' && report !== null && hear(table, report, Date.now())) changes += 1;
  });

  async function drive(): Promise<FanOutResult> {
    const watch = new CancellationScope();
    void watch.run(watchSilent).catch(() => undefined);
    try {
      return await driveToEnd();
    } finally {
      watch.cancel();
    }
  }

  async function driveToEnd(): Promise<FanOutResult> {
    for (const child of children) if (table.get(child.subject)?.state === 'busy') void startWhenFree(child);
    for (;;) {
      const seen = changes;
      if (run.cancelRequested() && !closing) await close('cancel');
      if (!closing) for (const child of startable(children, table, options.rules)) void start(child);
      await record();
      if (isOver()) return finish();
      if (!closing && isStalled()) await decide();
      else await condition(() => changes !== seen || (run.cancelRequested() && !closing));
      if (workflowInfo().continueAsNewSuggested) await goOnAsNew();
    }
  }

  function isOver(): boolean {
    const open = count(table, 'running', 'busy', 'holding') + starting;
    return open === 0 && (closing || count(table, 'done') === table.size);
  }

  /** Nothing runs that could change anything by itself, or too much has failed: a person decides. */
  function isStalled(): boolean {
    if (isStopped(children, table, options.rules)) return true;
    return count(table, 'running', 'busy', 'waiting') + starting === 0;
  }

  async function watchSilent(): Promise<void> {
    for (;;) {
      await sleep(SILENCE_MS);
      await askAboutSilent();
    }
  }

  async function askAboutSilent(): Promise<void> {
    const since = Date.now() - SILENCE_MS;
    const silent = [...table].flatMap(([subject, { state, operation, heardAt }]) =>
      ['running', 'holding'].includes(state) && operation !== null && heardAt <= since
        ? [{ subject, operation }]
        : [],
    );
    await lookAt(silent);
  }

  async function lookAt(silent: SilentChild[]): Promise<void> {
    const reports = silent.length === 0 ? [] : await lookAtChildren({ children: silent }).catch(() => []);
    for (const report of reports) if (hear(table, report, Date.now())) changes += 1;
  }

  async function start(child: ChildToStart): Promise<void> {
    starting += 1;
    const id = makeOperationId(Date.now(), Math.random);
    set(child, { state: 'running', operation: id, heardAt: Date.now() });
    try {
      const handle = await startChild(options.workflow, childOptions(run, options, child, id));
      const { runId: _former, ...entry } = table.get(child.subject) as ChildEntry;
      table.set(child.subject, { ...entry, runId: handle.firstExecutionRunId });
      void handle.result().then(
        () => report(child, id, 'succeeded'),
        (thrown: unknown) => report(child, id, 'rolled_back', thrown),
      );
    } catch (thrown) {
      if (!(thrown instanceof WorkflowExecutionAlreadyStartedError)) throw thrown;
      const until = Date.now() + run.limits.gateWaitMs;
      set(child, { state: 'busy', operation: null, heardAt: Date.now(), busyUntil: until });
      void startWhenFree(child);
    } finally {
      starting -= 1;
      changes += 1;
    }
  }

  /** The subject has an operation of somebody else: it is waited for, never run beside. */
  async function startWhenFree(child: ChildToStart): Promise<void> {
    const { busyUntil = 0 } = table.get(child.subject) as ChildEntry;
    const waitMs = Math.max(busyUntil - Date.now(), 1);
    const waited = await busyWaits
      .run(() => waits().awaitSubject({ subject: child.subject, waitMs }))
      .catch((thrown: unknown) => ({ free: false as const, holder: reasonOf(thrown) }));
    changes += 1;
    if (closing) return set(child, { state: 'waiting', operation: null, heardAt: Date.now() });
    if (waited.free) return start(child);
    const reason = `still busy with ${waited.holder}`;
    set(child, { state: 'failed', operation: null, heardAt: Date.now(), reason });
  }

  function report(
    child: ChildToStart,
    operation: string,
    state: ChildReport['state'],
    thrown?: unknown,
  ): void {
    const reason = thrown === undefined ? {} : { reason: reasonOf(thrown) };
    if (hear(table, { subject: child.subject, operation, state, ...reason }, Date.now())) changes += 1;
  }

  function set({ subject }: ChildToStart, entry: ChildEntry): void {
    table.set(subject, entry);
  }

  async function decide(): Promise<void> {
    const failed = new StepFailed(key, { kind: 'CommandFailed', message: troubleOf(table) });
    const { holdWindowMs } = run.limits;
    if (run.request.onFailure === 'rollback' || holdWindowMs === 0) return close('rollback');
    run.holds += 1;
    const orWhen = () => count(table, 'done') === table.size || run.cancelRequested();
    const decision = await hold(run, { failed, options: {}, number: run.holds, orWhen });
    recorded = '';
    run.apply({ type: 'resumed' });
    if (run.cancelRequested()) return;
    if (decision.action === 'rollback') return close('rollback', decision.actor);
    await again(decision.actor ?? run.request.actor, decision.note);
  }

  /** Held children get the same decision, failed ones start once more. */
  async function again(actor: string, note: string | undefined): Promise<void> {
    for (const [subject, entry] of table) {
      if (entry.state === 'failed') table.set(subject, { state: 'waiting', operation: null, heardAt: 0 });
      if (entry.state === 'holding') await pass('retry', subject, entry, { actor, note });
    }
  }

  /** No more starts. A cancel reaches the children, a rollback only those that wait for one; what is done stays. */
  async function close(how: 'rollback' | 'cancel', actor = 'slipway'): Promise<void> {
    closing = true;
    busyWaits.cancel();
    // while a start is on its way the subject may be somebody else's
    if (how === 'cancel') await condition(() => starting === 0);
    for (const [subject, entry] of table) {
      if (how === 'cancel' && ['running', 'holding'].includes(entry.state)) {
        const { operation, runId } = entry;
        await getExternalWorkflowHandle(subject, runId)
          .cancel()
          .catch(() => lookAt([{ subject, operation: operation ?? '' }]));
      } else if (how === 'rollback' && entry.state === 'holding') {
        await pass('rollback', subject, entry, { actor, note: undefined });
      }
    }
  }

  async function pass(
    action: 'retry' | 'rollback',
    subject: string,
    entry: ChildEntry,
    { actor, note }: { actor: string; note: string | undefined },
  ): Promise<void> {
    const { operation, hold: number, runId } = entry;
    const decision = { actor, operation, hold: number, ...(note === undefined ? {} : { note }) };
    try {
      await getExternalWorkflowHandle(subject, runId).signal(action, decision);
      // it may have said more while the signal was on its way
      if (action === 'retry' && table.get(subject) === entry)
        table.set(subject, { ...entry, state: 'running', heardAt: Date.now() });
    } catch {
      // it has ended meanwhile: how, is asked for
      await lookAt([{ subject, operation: operation ?? '' }]);
    }
    changes += 1;
  }

  function finish(): FanOutResult {
    if (run.cancelRequested()) throw new CancelledFailure('cancelled; what was done stays');
    const result = resultOf(table);
    if (result.done === result.total) return result;
    const trouble = troubleOf(table);
    if (result.done === 0) {
      run.recorder.step({ key, state: 'failed' });
      run.apply({ type: 'step_summed', key, state: 'failed', summary: summarize(table) });
      throw new StepFailed(key, { kind: 'CommandFailed', message: trouble });
    }
    warn(run, key, trouble);
    return result;
  }

  /** The step's line, about twenty times in the life of a fan-out and at every failure. */
  async function record(): Promise<void> {
    const twentieth = Math.floor((20 * count(table, 'done')) / Math.max(table.size, 1));
    const state = `${twentieth}/${count(table, 'failed')}/${count(table, 'holding')}`;
    if (state === recorded) return;
    recorded = state;
    const open = isOver() ? 'done' : 'running';
    run.recorder.step({ key, state: open, summary: summarize(table) });
    run.apply({ type: 'step_summed', key, state: open, summary: summarize(table) });
    void run.recorder.flush();
  }

  async function goOnAsNew(): Promise<void> {
    await condition(() => starting === 0);
    await run.recorder.flush();
    run.tables.set(key, { entries: [...table], closing } satisfies CarriedTable);
    const { request: operation, params } = run;
    const next: OperationInput<unknown> & { carried: unknown } = {
      operation,
      params,
      carried: run.carried(),
    };
    await makeContinueAsNewFunc<(input: unknown) => Promise<unknown>>({
      workflowType: workflowInfo().workflowType,
    })(next);
  }

  return drive;
}

function childOptions(run: Run, { kind }: FanOutOptions, child: ChildToStart, id: string) {
  const { actor, requestId, root, onFailure, holdWindowMs } = run.request;
  const title = child.title ?? `${kind} ${child.subject}`;
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
    memo: { operation: id, kind, subject: child.subject, title, actor, requestId },
  };
}

function reasonOf(thrown: unknown): string {
  try {
    return stepErrorOf(thrown).message;
  } catch {
    return 'cancelled';
  }
}

/** What a person reads first: how many, and the first few by name. */
function troubleOf(table: Table): string {
  const named = [...table]
    .filter(([, { state }]) => state === 'failed' || state === 'holding')
    .slice(0, 5)
    .map(
      ([subject, { state, reason }]) => `${subject} ${state}${reason === undefined ? '' : ` (${reason})`}`,
    );
  return [summarize(table), ...named].join('; ');
}
