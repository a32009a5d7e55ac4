import { ulid } from 'ulid';
import type { Db, Tx } from '../../db/database.js';
import { recordAudit } from '../../db/queries/audit.js';
import type { OperationRow } from '../../db/queries/operation-reads.js';
import {
  completeIdempotencyKey,
  findIdempotencyKey,
  findLeaver,
  findUnconfirmedTwin,
  type IdempotencyRow,
  insertOperation,
  takeIdempotencyKey,
} from '../../db/queries/operation-starts.js';
import type { OperationInput, OperationRequest } from '../../workflows/contract/operation/operation.js';
import { findKind, type OperationKind, requireKind } from '../../workflows/contract/kinds.js';
import { titleOf } from '../../workflows/contract/operation/definition.js';
import { placeOf } from '../../workflows/contract/operation/places.js';
import type { Metrics } from '../http/metrics.js';
import { Problem } from '../http/problem.js';
import type { Temporal } from './temporal.js';
import type { Digest } from './digest.js';
import { needsCleanup } from './refusals.js';

export interface StartDeps {
  db: Db;
  temporal: Temporal;
  digest: Digest;
  metrics: Metrics;
}

export interface Caller {
  actor: string;
  address: string;
  requestId: string;
  /** method and path as called, such as `POST /clients/42/admin_password` */
  route: string;
  idempotencyKey: string | undefined;
  /** validated body: part of what makes two requests equal */
  body: unknown;
  /** only wants to know what would be done */
  plan: boolean;
}

export interface Prepared<Params> {
  /** subject, title and places follow from them and the kind */
  params: Params;
  /** what a plan is given instead: it finds nothing of what `prepare` wrote */
  planParams?: Params;
  /** what people call what it works on, behind the title: `acme.example.test` */
  named?: string;
  /** id that the answer names; absent: the subject's own */
  answerId?: number | string;
  /** what the audit says beside who, when and which route */
  detail?: Record<string, unknown>;
  /** takes back what `prepare` wrote, when the start is refused */
  abandon?: (tx: Tx) => Promise<void>;
}

/** `prepare` found that an operation of its own already answers the request. */
export interface Existing {
  /** the operation's id */
  existing: string;
  answerId: number | string;
}

export interface StartRequest<Params> {
  kind: OperationKind;
  caller: Caller;
  options?: Pick<OperationRequest, 'holdWindowMs' | 'onFailure'>;
  /**
   * A look at the world before anything is written, for what a caller should be refused at once; may throw a `Problem`.
   * Requests that an operation answers already, and plans, whose checks look themselves, do without.
   */
  look?: () => Promise<void>;
  /**
   * Writes the subject's own records, in the transaction of the operation's row, and nothing anywhere else: for a plan
   * all of it is rolled back. May throw a `Problem`.
   */
  prepare: (tx: Tx, operation: { id: string; digest: string }) => Promise<Prepared<Params> | Existing>;
}

export interface Recorded {
  row: OperationRow;
  answerId: number | string;
  abandon: ((tx: Tx) => Promise<void>) | undefined;
}

export type Outcome =
  | ({ is: 'new' } & Recorded)
  /** an equal request was here first */
  | { is: 'repeated'; operation: string; answerId: number | string };

export async function findReplay(
  { db }: StartDeps,
  caller: Caller,
  digest: string,
): Promise<Outcome | undefined> {
  if (caller.idempotencyKey === undefined) return undefined;
  const row = await findIdempotencyKey(db, { ...caller, key: caller.idempotencyKey });
  return row && replayOf(row, digest);
}

function replayOf(row: IdempotencyRow, digest: string): Outcome {
  if (row.bodyDigest !== digest) throw new Problem('idempotency_key_reused');
  const answerId = /^\d+$/.test(row.subjectId) ? Number(row.subjectId) : row.subjectId;
  return { is: 'repeated', operation: row.operationId, answerId };
}

/** Leaves the transaction with everything that it wrote taken back. */
class Repeated extends Error {
  readonly outcome: Outcome;

  constructor(outcome: Outcome) {
    super('an equal request was here first');
    this.outcome = outcome;
  }
}

export async function record<Params>(
  deps: StartDeps,
  request: StartRequest<Params>,
  digest: string,
): Promise<Outcome> {
  await deps.temporal.requireReachable();
  try {
    return await deps.db.transaction((tx) => write(tx, request, digest));
  } catch (error) {
    if (error instanceof Repeated) return error.outcome;
    throw error;
  }
}

async function write<Params>(tx: Tx, request: StartRequest<Params>, digest: string): Promise<Outcome> {
  const { kind, caller, options, prepare } = request;
  const { actor, route, requestId, address, idempotencyKey: key } = caller;
  const id = ulid();
  if (key !== undefined) {
    const taken = await takeIdempotencyKey(tx, {
      actor,
      route,
      key,
      bodyDigest: digest,
      operationId: id,
      subjectId: '',
    });
    if (taken !== null) return replayOf(taken, digest);
  }
  const prepared = await prepare(tx, { id, digest });
  if ('existing' in prepared) {
    throw new Repeated({ is: 'repeated', operation: prepared.existing, answerId: prepared.answerId });
  }
  const { params, detail, abandon } = prepared;
  const { subject, title, places, answerId } = describeStart(kind, prepared);
  const twin = await findUnconfirmedTwin(tx, { subject, requestDigest: digest });
  if (twin !== undefined) throw new Repeated({ is: 'repeated', operation: twin.id, answerId });
  await refuseRestricted(tx, { subject, kind });
  const input: OperationInput<Params> = { operation: { id, actor, requestId, title, ...options }, params };
  const common = { kind, subject, title, actor, requestId, requestDigest: digest, places };
  const row = await insertOperation(tx, { id, state: 'starting', input, ...common });
  if (key !== undefined) await completeIdempotencyKey(tx, { actor, route, key }, String(answerId));
  const outcome = 'starting';
  await recordAudit(tx, { actor, address, requestId, route, subject, operationId: id, outcome, detail });
  return { is: 'new', row, answerId, abandon };
}

/** The claim refuses it too, for every way of starting; here the caller hears it at once. */
async function refuseRestricted(tx: Tx, { subject, kind }: { subject: string; kind: string }): Promise<void> {
  const leaver = findKind(kind)?.cleaning === true ? undefined : await findLeaver(tx, subject);
  if (leaver !== undefined) throw needsCleanup(leaver);
}

/** What follows from the kind and its parameters. */
export function describeStart<Params>(
  kind: OperationKind,
  { params, named, answerId }: Pick<Prepared<Params>, 'params' | 'named' | 'answerId'>,
): { subject: string; title: string; places: string[]; answerId: number | string } {
  const definition = requireKind(kind);
  const subject = definition.subject(params as never);
  const { id } = placeOf(subject);
  return {
    subject,
    title: titleOf(definition, params as never, named),
    places: definition.places?.(params as never) ?? [],
    answerId: answerId ?? (/^\d+$/.test(id) ? Number(id) : id),
  };
}
