import { defineSignal, setHandler } from '@temporalio/workflow';

/**
 * Gathers the object payloads of a signal in order of arrival; call it before the first await. Anything else is dropped:
 * a handler must never throw.
 */
export function collectSignals<Payload extends object>(name: string): readonly Payload[] {
  const received: Payload[] = [];
  setHandler(defineSignal<[Payload]>(name), (payload) => {
    if (typeof payload === 'object' && payload !== null) received.push(payload);
  });
  return received;
}
