import { CancellationScope, CancelledFailure, condition, workflowInfo } from '@temporalio/workflow';
import type { FanOutResult } from '../../contract/operation/fan-out.js';
import { createChildren } from './children.js';
import { handOn } from './continue.js';
import { createDecisions } from './decisions.js';
import type { FanOutState } from './state.js';
import { count, isStopped, resultOf, startable, summarize, troubleOf } from './table.js';
import { tellParent } from '../parent.js';
import { warn } from '../settle.js';
import { StepFailed } from '../step-failure.js';

/** The loop of one fan-out: starts whoever may start, says how far it is, asks a person, until nothing is open. */
export function createDrive(state: FanOutState): () => Promise<FanOutResult> {
  const { run, children, table, options } = state;
  const { start, startWhenFree, watchSilent, lookAt } = createChildren(state);
  const { decide, close } = createDecisions(state, { lookAt });

  async function driveToEnd(): Promise<FanOutResult> {
    for (const child of children) if (table.get(child.subject)?.state === 'busy') void startWhenFree(child);
    for (;;) {
      const seen = state.changes;
      if (run.cancelRequested() && !state.closing) await close('cancel');
      if (!state.closing) for (const child of startable(children, table, options.rules)) void start(child);
      await record(state);
      if (isOver(state)) return finish(state);
      if (!state.closing && isStalled(state)) await decide();
      else await condition(() => state.changes !== seen || (run.cancelRequested() && !state.closing));
      if (workflowInfo().continueAsNewSuggested) await handOn(state);
    }
  }

  return async () => {
    // decisions of the parent are for the run that speaks
    if (state.continued) await tellParent(run, { state: 'running' });
    const watch = new CancellationScope();
    void watch.run(watchSilent).catch(() => undefined);
    try {
      return await driveToEnd();
    } finally {
      watch.cancel();
    }
  };
}

function isOver({ table, starting, closing }: FanOutState): boolean {
  const open = count(table, 'running', 'busy', 'holding') + starting;
  return open === 0 && (closing || count(table, 'done') === table.size);
}

/** Nothing runs that could change anything by itself, or too much has failed: a person decides. */
function isStalled({ children, table, options, starting }: FanOutState): boolean {
  if (isStopped(children, table, options.rules)) return true;
  return count(table, 'running', 'busy', 'waiting') + starting === 0;
}

/** The step's line, about twenty times in the life of a fan-out and at every failure. */
async function record(state: FanOutState): Promise<void> {
  const { run, key, table } = state;
  const twentieth = Math.floor((20 * count(table, 'done')) / Math.max(table.size, 1));
  const open = isOver(state) ? 'done' : 'running';
  const now = `${open}/${twentieth}/${count(table, 'failed')}/${count(table, 'holding')}`;
  if (now === state.recorded) return;
  state.recorded = now;
  run.recorder.step({ key, state: open, summary: summarize(table) });
  run.apply({ type: 'step_summed', key, state: open, summary: summarize(table) });
  void run.recorder.flush();
}

function finish({ run, key, table }: FanOutState): FanOutResult {
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
