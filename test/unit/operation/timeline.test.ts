import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { defaultPayloadConverter } from '@temporalio/common';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { cleanText } from '../../../workflows/contract/operation/failures.js';
import {
  BEFORE_HISTORY,
  type HistoryEvent,
  itemsOf,
  TIMELINE_TYPES,
} from '../../../workflows/contract/operation/timeline.js';

const HISTORIES = new URL('../../replay/clients/histories/', import.meta.url);

function eventsOf(file: string): HistoryEvent[] {
  return historyFromJSON(JSON.parse(readFileSync(new URL(file, HISTORIES), 'utf8'))).events ?? [];
}

describe('the timeline of a history', () => {
  const files = readdirSync(HISTORIES);

  it('is the same read whole and in pieces, the state travelling between them', () => {
    for (const file of files) {
      const events = eventsOf(file);
      const whole = itemsOf(events, BEFORE_HISTORY);
      for (const size of [1, 3, 7]) {
        const items = [];
        let state = BEFORE_HISTORY;
        for (let from = 0; from < events.length; from += size) {
          const piece = itemsOf(events.slice(from, from + size), JSON.parse(JSON.stringify(state)));
          items.push(...piece.items);
          state = piece.state;
        }
        assert.deepEqual(items, whole.items, `${file} by ${size}`);
        assert.deepEqual(state, whole.state);
      }
    }
  });

  it('has at most one item per event, in order, of a known type, with a capped message', () => {
    for (const file of files) {
      const { items } = itemsOf(eventsOf(file), BEFORE_HISTORY);
      assert.ok(items.length >= 2, file);
      for (const [index, item] of items.entries()) {
        assert.ok(item.event > (items[index - 1]?.event ?? 0));
        assert.ok(TIMELINE_TYPES.includes(item.type));
        assert.ok(Buffer.byteLength(item.message) <= 1024);
        assert.match(item.time, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
      }
    }
  });

  it('holds no text that cannot be archived, and none without a limit, whoever sent it', () => {
    const hostile = `a\u0000${'b'.repeat(5_000)}\uD800`;
    const json = (value: unknown) => ({ payloads: [defaultPayloadConverter.toPayload(value)] });
    const { items } = itemsOf(
      [
        { workflowExecutionSignaledEventAttributes: { signalName: hostile } },
        {
          workflowExecutionSignaledEventAttributes: {
            signalName: 'retry',
            input: json({ actor: hostile, note: hostile }),
          },
        },
        { childWorkflowExecutionStartedEventAttributes: { workflowExecution: { workflowId: hostile } } },
      ],
      { ...BEFORE_HISTORY, holding: hostile },
    );
    assert.deepEqual(
      items.map(({ type }) => type),
      ['signalled', 'decided', 'child_started'],
    );
    for (const { step, message, data } of items) {
      for (const text of [step ?? '', message, ...Object.values(data).map(String)]) {
        assert.equal(text, cleanText(text));
        assert.ok(Buffer.byteLength(text) <= 1024);
      }
      for (const text of [step ?? '', ...Object.values(data).map(String)])
        assert.ok(Buffer.byteLength(text) <= 300);
    }
  });

  it('tells starts, steps, holds, decisions, undos and the end', () => {
    const { items } = itemsOf(eventsOf('createClient.held-and-retried.json'), BEFORE_HISTORY);
    const types = new Set(items.map(({ type }) => type));
    for (const type of [
      'started',
      'step_started',
      'step_done',
      'step_failed',
      'held',
      'decided',
      'hold_ended',
      'ended',
    ])
      assert.ok(types.has(type as 'started'), type);
    const back = itemsOf(eventsOf('createClient.rolled-back.json'), BEFORE_HISTORY).items;
    assert.deepEqual(back.at(-1)?.data, { status: 'failed', state: 'rolled_back' });
    assert.ok(back.some(({ type }) => type === 'undone'));
  });

  it('goes on counting over continue-as-new, and tells children and what a signal asks', () => {
    const event = (eventId: number, attributes: object) =>
      ({ eventId, ...attributes }) as unknown as HistoryEvent;
    const child = { workflowId: 'client:7', runId: 'r' };
    const first = [
      event(1, { workflowExecutionStartedEventAttributes: { workflowType: { name: 'prune' } } }),
      event(5, { childWorkflowExecutionStartedEventAttributes: { workflowExecution: child } }),
      event(9, { childWorkflowExecutionFailedEventAttributes: { workflowExecution: child } }),
      event(10, { workflowExecutionCancelRequestedEventAttributes: {} }),
      event(12, { workflowExecutionContinuedAsNewEventAttributes: { newExecutionRunId: 'next' } }),
    ];
    const second = [
      event(1, { workflowExecutionStartedEventAttributes: { workflowType: { name: 'prune' } } }),
      event(4, { startChildWorkflowExecutionFailedEventAttributes: { workflowId: 'client:8' } }),
      event(6, { workflowExecutionSignaledEventAttributes: { signalName: 'release' } }),
      event(8, { timerFiredEventAttributes: {} }),
      event(9, { workflowExecutionTerminatedEventAttributes: { reason: 'enough' } }),
    ];
    const before = itemsOf(first, BEFORE_HISTORY);
    const after = itemsOf(second, before.state);
    assert.deepEqual(
      [...before.items, ...after.items].map(
        ({ run, event, type, message }) => `${run}-${event} ${type}: ${message}`,
      ),
      [
        '1-1 started: prune',
        '1-5 child_started: client:7: started',
        '1-9 child_ended: client:7: failed',
        '1-10 cancel_requested: A cancel was requested',
        '1-12 continued_as_new: Goes on in a new run',
        '2-4 child_not_started: client:8: not started',
        '2-6 signalled: Signal release',
        '2-9 ended: prune: terminated: enough',
      ],
    );
  });
});
