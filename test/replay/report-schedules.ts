/** Workflow interceptor for replays: tells what the present code schedules; replay itself does not compare arguments. */
import { proxySinks, type Sinks, type WorkflowInterceptorsFactory } from '@temporalio/workflow';

export interface Scheduled {
  type: string;
  id: string;
  /** arguments as they stand in histories */
  input: unknown;
}

export interface ReportSinks extends Sinks {
  /** `json`: a `Scheduled`; objects of the sandbox have prototypes of their own and would equal nothing outside */
  report: { scheduled(json: string): void };
}

export const interceptors: WorkflowInterceptorsFactory = () => ({
  outbound: [
    {
      scheduleActivity(input, next) {
        const { activityType: type, args, options, seq } = input;
        const scheduled: Scheduled = { type, id: options.activityId ?? `${seq}`, input: args };
        proxySinks<ReportSinks>().report.scheduled(JSON.stringify(scheduled));
        return next(input);
      },
    },
  ],
});
