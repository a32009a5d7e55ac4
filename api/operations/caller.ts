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

export function auditOf(c: Ctx, entry: Pick<AuditEntry, 'subject' | 'outcome' | 'detail'>): AuditEntry {
  const { actor, address, requestId, route } = callerOf(c);
  return { actor, address, requestId, route, ...entry };
}

export function startOptions(
  query: z.output<typeof StartQuery>,
): Pick<OperationRequest, 'holdWindowMs' | 'onFailure'> {
  return {
    ...(query.hold_window === undefined ? {} : { holdWindowMs: query.hold_window * 60_000 }),
    ...(query.on_failure === undefined ? {} : { onFailure: query.on_failure }),
  };
}

/**
 * `docs/contract/access.md`, Conventions: 202 with Location, or 200 for an operation that an equal request has started;
 * 200 for a plan.
 */
export function answerStarted(c: Ctx, result: Started | Planned): Response {
  if ('plan' in result) return c.json(result, 200, { 'Preference-Applied': 'plan' });
  const { status, answerId, operation } = result;
  const ref = refOf(operation);
  return c.json({ id: answerId, operation: ref }, status, { Location: ref.href });
}
