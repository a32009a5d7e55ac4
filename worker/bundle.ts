import { bundleWorkflowCode } from '@temporalio/worker';

const WORKFLOWS = new URL('../workflows/index.ts', import.meta.url).pathname;

/** Workflow code as one script; seconds of work, so it is done once per process and outside of `Worker.create`. */
export async function bundleWorkflows(workflowsPath = WORKFLOWS): Promise<{ code: string }> {
  return bundleWorkflowCode({ workflowsPath, logger: quiet });
}

const ignore = (): void => undefined;
/** The bundler tells every webpack asset; its errors are thrown anyway. */
const quiet = { log: ignore, trace: ignore, debug: ignore, info: ignore, warn: ignore, error: ignore };
