import { defineSignal, setHandler } from '@temporalio/workflow';
import type { OperationInput } from '../contract/operation/operation.js';
import { carriedOf } from './carried.js';

const collected = new Map<string, object[]>();

/**
 * Gathers the object payloads of a signal in order of arrival, those that earlier runs of the operation got first; call
 * it before the first await. Anything else is dropped: a handler must never throw.
 */
export function collectSignals<Payload extends object>(
  name: string,
  input?: OperationInput<unknown>,
): readonly Payload[] {
  const earlier = input === undefined ? [] : (new Map(carriedOf(input)?.signals).get(name) ?? []);
  const received = [...earlier] as Payload[];
  collected.set(name, received);
  setHandler(defineSignal<[Payload]>(name), (payload) => {
    if (typeof payload === 'object' && payload !== null) received.push(payload);
  });
  return received;
}

/** For the next run of the operation. */
export function collectedSignals(): [string, object[]][] {
  return [...collected];
}
