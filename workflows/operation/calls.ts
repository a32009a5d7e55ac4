import { type ActivityOptions, proxyActivities } from '@temporalio/workflow';
import { capText } from '../contract/operation/failures.js';
import type { Act, StepRef } from '../contract/operation/step.js';

/** The server refuses longer ones. */
const SUMMARY_LIMIT_BYTES = 200;

type Call = (input: unknown, ref: StepRef) => Promise<unknown>;

/** Schedules an act's activity on behalf of a step; the step's name is what histories and the Web UI show. */
export function callAct<Result>(act: Act<Result>, ref: StepRef, options: ActivityOptions): Promise<Result> {
  const activities = proxyActivities<Record<string, Call>>({
    ...options,
    summary: capText(ref.title, SUMMARY_LIMIT_BYTES),
  });
  const call = activities[act.activity] as Call;
  return call(act.input, ref) as Promise<Result>;
}
