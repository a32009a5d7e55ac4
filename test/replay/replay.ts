import { defaultPayloadConverter } from '@temporalio/common';
import { bundleWorkflowCode, type InjectedSinks, Worker } from '@temporalio/worker';
import { quietRuntime } from '../support/quiet-runtime.js';
import type { History } from './histories.js';
import type { ReportSinks, Scheduled } from './report-schedules.js';

// a replay that fails on purpose is no news
quietRuntime();

const pathOf = (file: string): string => new URL(file, import.meta.url).pathname;
const ignore = (): void => undefined;

/** Slipway's workflows, the test operation and the changed ones, telling what they schedule. */
export function bundleForReplay(): Promise<{ code: string }> {
  return bundleWorkflowCode({
    workflowsPath: pathOf('./workflows.ts'),
    workflowInterceptorModules: [pathOf('./report-schedules.ts')],
    logger: { log: ignore, trace: ignore, debug: ignore, info: ignore, warn: ignore, error: ignore },
  });
}

export interface Replayed {
  recorded: Scheduled[];
  /** what the present code schedules in the same places */
  present: Scheduled[];
}

/** Replays one history against the bundle; throws when the present code takes another way. */
export async function replay(workflowBundle: { code: string }, history: History): Promise<Replayed> {
  const present: Scheduled[] = [];
  const sinks: InjectedSinks<ReportSinks> = {
    report: {
      scheduled: {
        callDuringReplay: true,
        fn: (_info, json) => void present.push(JSON.parse(json) as Scheduled),
      },
    },
  };
  // the id is the subject, which every operation compares with its parameters
  const workflowId = history.events?.[0]?.workflowExecutionStartedEventAttributes?.workflowId ?? '';
  await Worker.runReplayHistory({ workflowBundle, sinks }, history, workflowId);
  return { recorded: recordedSchedules(history), present };
}

function recordedSchedules({ events }: History): Scheduled[] {
  return (events ?? []).flatMap(({ activityTaskScheduledEventAttributes: scheduled }) => {
    if (!scheduled) return [];
    const input = (scheduled.input?.payloads ?? []).map((payload) =>
      defaultPayloadConverter.fromPayload<unknown>(payload),
    );
    return [{ type: scheduled.activityType?.name ?? '', id: scheduled.activityId ?? '', input }];
  });
}

/** The same events as if another workflow type had made them. */
export function asType(history: History, name: string): History {
  const [first, ...rest] = history.events ?? [];
  const started = first?.workflowExecutionStartedEventAttributes;
  return {
    events: [
      {
        ...first,
        workflowExecutionStartedEventAttributes: { ...started, workflowType: { name } },
      },
      ...rest,
    ],
  };
}
