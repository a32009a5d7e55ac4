import { condition } from '@temporalio/workflow';
import { goOnAsNew } from '../continue.js';
import { carriedTable, type FanOutState } from './state.js';

/** The next run is handed the table, too. */
export async function handOn(state: FanOutState): Promise<never> {
  const { run, key } = state;
  await condition(() => state.starting === 0);
  await run.recorder.flush();
  run.tables.set(key, carriedTable(state));
  return goOnAsNew(run);
}
