import { DefaultLogger, Runtime } from '@temporalio/worker';

let installed = false;

/** Temporal's runtime without its warnings: once per process, whoever needs it first. */
export function quietRuntime(): void {
  if (!installed)
    Runtime.install({
      logger: new DefaultLogger('ERROR', () => undefined),
      telemetryOptions: { logging: { filter: 'OFF' } },
      shutdownSignals: [],
    });
  installed = true;
}
