import type { OperationRow, OperationStepRow } from '../../db/queries/operation-reads.js';
import { placeOf } from '../../workflows/contract/operation/places.js';
import { findKind, PAGES } from '../../workflows/contract/kinds.js';
import type { OperationView, StepView } from '../../workflows/contract/operation/operation.js';

/** What `GET /operations/{id}` answers. */
export interface OperationAnswer extends OperationView {
  /** `live`: asked from Temporal just now; `projection`: as recorded last */
  source: 'live' | 'projection';
  /** the workflow's code fails again and again: a bug */
  stuck?: boolean;
  error: OperationRow['error'];
  links: Record<string, string>;
}

export function viewOfRow(row: OperationRow, steps: OperationStepRow[]): OperationAnswer {
  return {
    id: row.id,
    kind: row.kind,
    subject: row.subject,
    state: row.state,
    title: row.title,
    actor: row.actor,
    requestId: row.requestId,
    startedAt: row.startedAt.toISOString(),
    endedAt: row.endedAt?.toISOString() ?? null,
    steps: steps.map(viewOfStep),
    hold: row.hold ?? null,
    warnings: row.warnings,
    leftovers: row.leftovers,
    decisions: row.decisions,
    result: row.result ?? null,
    error: row.error ?? null,
    source: 'projection',
    ...(row.waitingFor === null ? {} : { waitingFor: row.waitingFor }),
    ...(isStuck(row) ? { stuck: true } : {}),
    links: linksOf(row),
  };
}

/** As the minute sweep saw it last. */
export function isStuck({ stuck, endedAt }: Pick<OperationRow, 'stuck' | 'endedAt'>): boolean {
  return stuck && endedAt === null;
}

function viewOfStep(step: OperationStepRow): StepView {
  return {
    key: step.key,
    title: step.title,
    state: step.state,
    attempt: step.attempt,
    startedAt: step.startedAt.toISOString(),
    endedAt: step.endedAt?.toISOString() ?? null,
    ...(step.summary === null ? {} : { summary: step.summary }),
    ...(step.error ? { error: step.error } : {}),
  };
}

function linksOf({ id, kind, subject, places, parentId }: OperationRow): Record<string, string> {
  return {
    self: `/operations/${id}`,
    ...(parentId === null ? {} : { parent: `/operations/${parentId}` }),
    ...(findKind(kind)?.fansOut === true ? { children: `/operations?parent=${id}` } : {}),
    ...linkTo(places[0]),
    ...linkTo(subject),
  };
}

function linkTo(place: string | undefined): Record<string, string> {
  const { kind, id } = placeOf(place ?? '');
  const page = PAGES[kind];
  return page === undefined ? {} : { [kind]: `${page}/${id}` };
}
