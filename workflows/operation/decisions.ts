import type { Hold, HoldAction, OperationState } from '../contract/operation/operation.js';
import type { DecisionPayload } from '../contract/operation/signals.js';

/** What a decision is judged against. */
export interface Moment {
  operation: string;
  state: OperationState;
  hold: Hold | null;
  committed: boolean;
  /** ids of decisions already taken; a repeated one is a double click */
  seen: ReadonlySet<string>;
}

/** Why a decision has no effect, or undefined when it is accepted. Pure; the text is shown to its sender. */
export function reasonToIgnore(
  action: HoldAction,
  payload: DecisionPayload,
  moment: Moment,
): string | undefined {
  if (payload.id !== undefined && moment.seen.has(payload.id)) return 'already received';
  if (payload.operation !== undefined && payload.operation !== moment.operation)
    return 'meant for another operation';
  if (action === 'rollback' && moment.committed) return 'past_commit';
  if (moment.hold === null) return `the operation is ${moment.state}, it does not wait for a decision`;
  if (payload.hold !== undefined && payload.hold !== moment.hold.number) return 'meant for another hold';
  if (!moment.hold.actions.includes(action)) return `this step does not allow ${action}`;
  if (action === 'skip' && (payload.note ?? '').trim() === '') return 'skip needs a note';
  if (payload.input === undefined || Object.keys(payload.input).length === 0) return undefined;
  if (action !== 'retry') return 'only retry takes changed input';
  const editable = moment.hold.editable ?? [];
  const refused = Object.keys(payload.input).filter((field) => !editable.includes(field));
  return refused.length === 0 ? undefined : `not changeable here: ${refused.join(', ').slice(0, 200)}`;
}
