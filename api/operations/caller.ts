import type { z } from '@hono/zod-openapi';
import type { AuditEntry } from '../../db/queries/audit.js';
import type { OperationRequest } from '../../workflows/contract/operation/operation.js';
import type { Ctx } from '../http/environment.js';
import { flag } from '../http/fields.js';
import { Problem } from '../http/problem.js';
import type { StartQuery } from '../http/pages.js';
import { refOf } from './refusals.js';
import { type Caller } from './record-start.js';
import { type Planned } from './plan.js';
import { type Started } from './start.js';

/** 255: what a header may reasonably carry; visible ASCII only. */
const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/;

export function callerOf(c: Ctx, body: unknown = null): Caller {
  const idempotencyKey = c.req.header('idempotency-key');
  if (idempotencyKey !== undefined && !IDEMPOTENCY_KEY.test(idempotencyKey)) {
    throw new Problem('invalid_input', {
      errors: [{ field: 'Idempotency-Key', message: 'must be 1 to 255 visible ASCII characters' }],
    });
  }
  const identity = { actor: c.get('actor'), address: c.get('address'), requestId: c.get('requestId') };
  const route = `${c.req.method} ${c.req.path}`;
  return { ...identity, route, idempotencyKey, body, plan: wantsPlan(c) };
}

/** `?plan=true`, or `Prefer: plan` by RFC 7240. */
function wantsPlan(c: Ctx): boolean {
  const asked = flag().safeParse(c.req.query('plan'));
  if (asked.success) return asked.data;
  const preferences = (c.req.header('prefer') ?? '').split(',');
  return preferences.some((preference) => preference.split(';')[0]?.trim().toLowerCase() === 'plan');
}

export function auditOf(
  { actor, address, requestId, route }: Caller,
  entry: Pick<AuditEntry, 'subject' | 'outcome' | 'detail'>,
): AuditEntry {
  return { actor, address, requestId, route, ...entry };
}

function startOptions(query: z.output<typeof StartQuery>): StartedBy['options'] {
  return {
    ...(query.hold_window === undefined ? {} : { holdWindowMs: query.hold_window * 60_000 }),
    ...(query.on_failure === undefined ? {} : { onFailure: query.on_failure }),
  };
}

/** Who starts an operation, with what, and how it behaves when a step fails. */
export interface StartedBy {
  caller: Caller;
  options: Pick<OperationRequest, 'holdWindowMs' | 'onFailure'>;
}

/** `asked` is part of what makes two requests equal. */
export function startOf(c: Ctx, query: z.output<typeof StartQuery>, asked: unknown = query): StartedBy {
  return { caller: callerOf(c, asked), options: startOptions(query) };
}

/**
 * `docs/contract/access.md`, Conventions: 202 with Location, or 200 for an operation that an equal request has started;
 * 200 for a plan.
 */
export function startedAnswer(result: Started | Planned) {
  if ('plan' in result)
    return { status: 200 as const, body: result, headers: { 'Preference-Applied': 'plan' } };
  const { status, answerId, operation } = result;
  const ref = refOf(operation);
  return { status, body: { id: answerId, operation: ref }, headers: { Location: ref.href } };
}
