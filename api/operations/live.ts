import type { OperationView, StepView } from '../../workflows/contract/operation/operation.js';
import { isOpen, isStuck, operationOf } from '../../workflows/contract/operation/runs.js';
import { VIEW_QUERY } from '../../workflows/contract/operation/signals.js';
import type { Temporal } from './temporal.js';
import type { OperationAnswer } from './view.js';

/** `docs/contract/operations.md`, Reading an operation: within 1 s when enriched; this leaves room for the database. */
const BUDGET_MS = 800;

interface Pending {
  attempt: number;
  failure: { kind: string; message: string } | null;
}

/**
 * The recorded view made fresh by the server's pending activities and the workflow's own view, as far as they answer
 * in time; else the recorded one.
 */
export async function enrich(temporal: Temporal, recorded: OperationAnswer): Promise<OperationAnswer> {
  const until = Date.now() + BUDGET_MS;
  const left = () => Math.max(1, until - Date.now());
  try {
    const handle = temporal.client.workflow.getHandle(recorded.subject);
    const description = await temporal.within(left(), () => handle.describe());
    if (!isOpen(description) || operationOf(description) !== recorded.id) return recorded;
    const exact = temporal.client.workflow.getHandle(recorded.subject, description.runId);
    const view = await temporal
      .within(left(), () => exact.query<OperationView>(VIEW_QUERY))
      .catch(() => undefined);
    const stuck = isStuck(description);
    const pending = pendingByStep(description.raw.pendingActivities ?? []);
    const { stuck: _asRecorded, ...known } = recorded;
    const fresh = view === undefined || view.id !== recorded.id ? known : { ...known, ...view };
    return {
      ...fresh,
      steps: fresh.steps.map((step) => withPending(step, pending.get(step.key))),
      ...(stuck ? { stuck } : {}),
      // without a worker that answers, the steps are those that were recorded last
      source: fresh === known ? 'projection' : 'live',
    };
  } catch {
    // whatever keeps Temporal from answering, the recorded view is an answer
    return recorded;
  }
}

interface RawActivity {
  activityId?: string | null;
  attempt?: number | null;
  lastFailure?: { message?: string | null; applicationFailureInfo?: { type?: string | null } | null } | null;
}

/** Activity ids are `<step>/<try>`. */
function pendingByStep(activities: RawActivity[]): Map<string, Pending> {
  const pending = new Map<string, Pending>();
  for (const { activityId, attempt, lastFailure } of activities) {
    const step = activityId?.split('/')[0];
    if (step === undefined) continue;
    const failure = lastFailure
      ? { kind: lastFailure.applicationFailureInfo?.type ?? 'Unexpected', message: lastFailure.message ?? '' }
      : null;
    pending.set(step, { attempt: attempt ?? 1, failure });
  }
  return pending;
}

function withPending(step: StepView, pending: Pending | undefined): StepView {
  if (pending === undefined || pending.attempt <= 1) return step;
  const { attempt, failure } = pending;
  return {
    ...step,
    attempt,
    state: step.state === 'running' ? 'retrying' : step.state,
    ...(failure === null
      ? {}
      : { error: { ...failure, kind: failure.kind as NonNullable<StepView['error']>['kind'] } }),
  };
}
