import { failure } from '../contract/operation/failures.js';
import { OPERATION_ID } from '../contract/operation/ids.js';

const ACTOR_LIMIT = 200;
/** What `staticSummary` of the API carries, with room for a long host name. */
const TITLE_LIMIT = 500;
/** A month: nobody waits longer for a decision, and timers of Temporal take it. */
const LONGEST_WINDOW_MS = 31 * 86_400_000;

/** Starts by hand bring their own request: what is wrong in it is said at once, before anything is claimed. */
export function checkRequest(request: unknown): void {
  const fields = typeof request === 'object' && request !== null ? (request as Record<string, unknown>) : {};
  const { id, actor, requestId, title, holdWindowMs, onFailure, parent, root } = fields;
  const problems = [
    isId(id) ? '' : '"id" must be a ULID',
    isText(actor, ACTOR_LIMIT) ? '' : '"actor" must be a short text',
    requestId === null || isText(requestId, 255) ? '' : '"requestId" must be null or a short text',
    title === undefined || isText(title, TITLE_LIMIT) ? '' : '"title" must be a short text',
    holdWindowMs === undefined || isWindow(holdWindowMs)
      ? ''
      : '"holdWindowMs" must be milliseconds up to 31 days',
    onFailure === undefined || onFailure === 'hold' || onFailure === 'rollback'
      ? ''
      : '"onFailure" must be hold or rollback',
    parent === undefined || isParent(parent) ? '' : '"parent" must be a "workflowId" and an "operation"',
    root === undefined || isId(root) ? '' : '"root" must be a ULID',
  ].filter((problem) => problem !== '');
  if (problems.length > 0)
    throw failure('InvalidInput', `"operation": ${problems.join('; ')}; leave it out to have it made`);
}

function isId(value: unknown): boolean {
  return typeof value === 'string' && OPERATION_ID.test(value);
}

function isParent(value: unknown): boolean {
  const { workflowId, operation } = (value ?? {}) as Record<string, unknown>;
  return isText(workflowId, 200) && isId(operation);
}

function isText(value: unknown, limit: number): boolean {
  return typeof value === 'string' && value !== '' && value.length <= limit;
}

function isWindow(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= LONGEST_WINDOW_MS;
}
