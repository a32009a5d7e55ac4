import { condition, getExternalWorkflowHandle } from '@temporalio/workflow';
import type { SilentChild } from '../../contract/operation/fan-out.js';
import type { FanOutState } from './state.js';
import { type ChildEntry, count, startable, troubleOf } from './table.js';
import { tellParent } from '../parent.js';
import { hold } from '../settle.js';
import { StepFailed } from '../step-failure.js';

interface Decisions {
  /** Asks a person, and does what was decided. */
  decide(): Promise<void>;
  /** No more starts. A cancel reaches the children, a rollback only those that wait for one; what is done stays. */
  close(how: 'rollback' | 'cancel', actor?: string): Promise<void>;
}

export function createDecisions(
  state: FanOutState,
  { lookAt }: { lookAt(children: SilentChild[]): Promise<void> },
): Decisions {
  const { run, key, children, options, table, busyWaits } = state;

  async function decide(): Promise<void> {
    const failed = new StepFailed(key, { kind: 'CommandFailed', message: troubleOf(table) });
    const { holdWindowMs } = run.limits;
    if (run.request.onFailure === 'rollback' || holdWindowMs === 0) return close('rollback');
    run.holds += 1;
    // whoever was mended below leaves nothing to ask about
    const mended = () =>
      count(table, 'done') === table.size || startable(children, table, options.rules).length > 0;
    const orWhen = () => mended() || run.cancelRequested();
    const decision = await hold(run, { failed, options: {}, number: run.holds, orWhen });
    state.recorded = '';
    run.apply({ type: 'resumed' });
    await tellParent(run, { state: 'running' });
    if (run.cancelRequested() || decision === undefined) return;
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

  async function close(how: 'rollback' | 'cancel', actor = 'slipway'): Promise<void> {
    state.closing = true;
    busyWaits.cancel();
    // while a start is on its way the subject may be somebody else's
    if (how === 'cancel') await condition(() => state.starting === 0);
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
    state.changes += 1;
  }

  return { decide, close };
}
