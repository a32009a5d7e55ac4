import { condition, proxyActivities, setHandler, defineSignal } from '@temporalio/workflow';

const { nothing } = proxyActivities<{ nothing(): Promise<void> }>({ startToCloseTimeout: '10 seconds' });

/** As an operation that holds: something was done, and somebody is waited for. */
export async function waiting(): Promise<void> {
  let told = false;
  setHandler(defineSignal('go'), () => void (told = true));
  await nothing();
  await condition(() => told, '30 minutes');
}
