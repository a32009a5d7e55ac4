import {
  CancellationScope,
  defineQuery,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { AdmissionNeed } from '../contract/operation/admission.js';
import { makeOperationId } from '../contract/operation/ids.js';
import type {
  Decision,
  Leftover,
  OperationInput,
  OperationLimits,
  OperationRequest,
  OperationView,
  StepError,
} from '../contract/operation/operation.js';
import { VIEW_QUERY } from '../contract/operation/signals.js';
import type { StepRef, Undo } from '../contract/operation/step.js';
import { type Admission, createAdmission } from './admission.js';
import { type Carried, carriedOf } from './carried.js';
import { type Decisions, listenForDecisions } from './hold.js';
import { advance, type ProgressEvent, toMarkdown } from './progress.js';
import { createRecorder, type Recorder } from './recorder.js';
import { createSaga, type Saga } from './saga.js';
import { collectedSignals } from './signals.js';

/** The state of one operation while its workflow runs; everything in it follows from history. */
export interface Run {
  readonly kind: string;
  readonly request: OperationRequest;
  readonly subject: string;
  params: unknown;
  limits: OperationLimits;
  committed: boolean;
  /** what the operation reports when it does not end well */
  error: StepError | null;
  /** the step that `error` is of */
  failedStep: string | null;
  /** holds so far; a decision names the one that it is for */
  holds: number;
  /** steps that an operator has retried: any further failure of theirs holds again */
  readonly heldBefore: Set<string>;
  readonly saga: Saga;
  /** results of finished steps: a story that is told again finds them here */
  readonly results: Map<string, unknown>;
  /** tables of fan-outs, by step */
  readonly tables: Map<string, unknown>;
  /** dangerous states that are entered now, by their steps */
  readonly entered: Set<string>;
  /** it holds subjects by children of this run: no other run could free them */
  readonly borrows: boolean;
  readonly recorder: Recorder;
  readonly decisions: Decisions;
  readonly admission: Admission;
  view(): OperationView;
  apply(event: ProgressEvent): void;
  /** shows holds and the end to callers: not before they are recorded, or lists and decisions would contradict them */
  publish(): void;
  cancelRequested(): boolean;
  /** 1 + number of operators' retries of the step */
  tryOf(key: string): number;
  nextTry(key: string): void;
  /** a reference for the next activity call; each call has a higher number */
  refer(call: Pick<StepRef, 'step' | 'title' | 'phase' | 'closes'> & { undo?: Undo | undefined }): StepRef;
  decided(decision: Decision): void;
  leaveOver(leftover: LeftOver): void;
  /** for the next run of the chain */
  carried(): Carried;
}

interface LeftOver extends Omit<Leftover, 'remedy'> {
  /** default: the clean-up, which runs what the ledger holds */
  remedy?: string;
  /** it stands first */
  dangerous?: boolean;
}

/** Until the claim has answered: nothing holds, nothing is waited for. */
const NO_LIMITS: OperationLimits = {
  holdWindowMs: 0,
  lateMs: 0,
  undoAttempts: 1,
  forwardRetryMs: 0,
  gateWaitMs: 0,
  busyWaitMs: 0,
  silenceMs: 0,
};

interface CreateRun {
  kind: string;
  title: string;
  input: OperationInput<unknown>;
  admission?: AdmissionNeed | undefined;
  borrows?: boolean;
}

/** Registers signals and query before anything is awaited: what arrives earlier would be lost or rejected. */
export function createRun({ kind, title, input, admission, borrows = false }: CreateRun): Run {
  const info = workflowInfo();
  const rootScope = CancellationScope.current();
  const request = input.operation ?? {
    id: makeOperationId(Date.now(), Math.random),
    actor: 'temporal',
    requestId: null,
  };
  const carried = carriedOf(input);
  const tries = new Map(carried?.tries);
  const seenDecisions = new Set(carried?.seenDecisions);
  let seq = carried?.seq ?? 0;
  let view = carried?.view ?? emptyView(kind, request.title ?? title, request);
  let published = view;

  const run: Run = {
    kind,
    request,
    subject: info.workflowId,
    params: input.params,
    limits: carried?.limits ?? NO_LIMITS,
    committed: carried?.committed ?? false,
    error: carried?.error ?? null,
    failedStep: carried?.failedStep ?? null,
    holds: carried?.holds ?? 0,
    heldBefore: new Set(carried?.heldBefore),
    saga: createSaga(carried?.undos),
    results: new Map(carried?.results.map(([key, value]) => [key, value])),
    tables: new Map(carried?.tables),
    entered: new Set(carried?.entered),
    borrows,
    recorder: createRecorder(() => snapshot(run), carried?.written),
    decisions: listenForDecisions(
      () => ({ operation: request.id, state: view.state, hold: view.hold, committed: run.committed }),
      (decision) => run.decided(decision),
      seenDecisions,
    ),
    get admission() {
      return admitting;
    },
    view: () => view,
    apply(event) {
      view = advance(view, event);
      if (event.type !== 'ended' && event.type !== 'held') run.publish();
    },
    publish() {
      published = view;
      setCurrentDetails(toMarkdown(view));
    },
    cancelRequested: () =>
      (rootScope.consideredCancelled || carried?.cancelRequested === true) && !run.committed,
    tryOf: (key) => tries.get(key) ?? 1,
    nextTry: (key) => void tries.set(key, run.tryOf(key) + 1),
    refer({ undo, ...call }) {
      seq += 1;
      run.recorder.begins(call.step);
      return {
        operation: request.id,
        subject: info.workflowId,
        ...call,
        seq,
        try: run.tryOf(call.step),
        ...(undo === undefined ? {} : { undo: { ...undo, id: undo.id || `${call.step}#${seq}` } }),
        ...(run.committed ? { committed: true as const } : {}),
      };
    },
    decided: (decision) => recordDecision(run, decision),
    leaveOver: (leftover) => leaveOver(run, leftover),
    carried: () => ({
      view,
      limits: run.limits,
      committed: run.committed,
      cancelRequested: run.cancelRequested(),
      error: run.error,
      failedStep: run.failedStep,
      seq,
      tries: [...tries],
      results: [...run.results].map(([key, value]) => (value === undefined ? [key] : [key, value])),
      undos: run.saga.entries(),
      written: run.recorder.written(),
      holds: run.holds,
      heldBefore: [...run.heldBefore],
      seenDecisions: [...seenDecisions],
      tables: [...run.tables],
      entered: [...run.entered],
      signals: collectedSignals(),
      ...(admission === undefined ? {} : { admission: admitting.state }),
    }),
  };
  const admitting = createAdmission(run, admission, carried?.admission);
  setHandler(defineQuery<OperationView>(VIEW_QUERY), () => published, {
    description: 'The operation as the API shows it',
  });
  rootScope.cancelRequested.catch(() => ignoreCancelAfterCommit(run));
  return run;
}

function emptyView(kind: string, title: string, request: OperationRequest): OperationView {
  const { workflowId, startTime } = workflowInfo();
  return {
    id: request.id,
    kind,
    subject: workflowId,
    state: 'running',
    title,
    actor: request.actor,
    requestId: request.requestId,
    startedAt: startTime.toISOString(),
    endedAt: null,
    steps: [],
    hold: null,
    warnings: [],
    leftovers: [],
    decisions: [],
    result: null,
  };
}

function snapshot(run: Run) {
  const { state, hold, warnings, leftovers, decisions, result, waitingFor } = run.view();
  return {
    operation: run.request.id,
    state,
    hold,
    failedStep: run.failedStep,
    warnings,
    leftovers,
    decisions,
    result,
    error: run.error,
    ...(waitingFor === undefined ? {} : { waitingFor }),
    // every later record says it too: one that is lost is made good by the next
    ...(run.admission.state.taking === 1 ? {} : { giveBack: run.admission.state.taking - 1 }),
  };
}

/** A flood of signals that do not fit is told by its first ones. */
const IGNORED_LIMIT = 50;

function recordDecision(run: Run, decision: Decision): void {
  const ignoredSoFar = run.view().decisions.filter(({ accepted }) => !accepted).length;
  if (!decision.accepted && ignoredSoFar >= IGNORED_LIMIT) return;
  run.apply({ type: 'decided', decision });
  const outcome = decision.accepted ? 'decided' : `ignored (${decision.ignored ?? ''})`;
  const note = decision.note === undefined ? '' : `: ${decision.note}`;
  run.recorder.line({
    type: 'decided',
    step: run.view().hold?.step ?? null,
    message: `${decision.actor} ${outcome} ${decision.action}${note}`,
    level: 'info',
  });
  void run.recorder.flush();
}

function leaveOver(run: Run, { dangerous = false, ...leftover }: LeftOver): void {
  const remedy = `POST /operations/${run.request.id}/cleanup runs it again`;
  run.apply({ type: 'left_over', leftover: { remedy, ...leftover }, first: dangerous });
}

function ignoreCancelAfterCommit(run: Run): void {
  if (!run.committed) return;
  const time = new Date().toISOString();
  run.decided({ action: 'cancel', time, actor: 'temporal', accepted: false, ignored: 'past_commit' });
}
