import { NativeConnection, Worker } from '@temporalio/worker';
import { bundleWorkflows } from '../../worker/bundle.js';

const BARE_QUEUE = 'bare';

/** The least that a worker process can be: one workflow, one activity. */
async function main(address: string): Promise<void> {
  const connection = await NativeConnection.connect({ address });
  const worker = await Worker.create({
    connection,
    taskQueue: BARE_QUEUE,
    workflowBundle: await bundleWorkflows(new URL('./workflows.ts', import.meta.url).pathname),
    activities: { nothing: () => Promise.resolve() },
  });
  const done = worker.run();
  console.log('bare worker is ready');
  await done;
}

await main(process.env['TEMPORAL_ADDRESS'] ?? '');
