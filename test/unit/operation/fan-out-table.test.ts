import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ChildToStart, FanOutRules } from '../../../workflows/contract/operation/fan-out.js';
import {
  type ChildState,
  hear,
  isStopped,
  newTable,
  resultOf,
  startable,
  summarize,
  type Table,
} from '../../../workflows/operation/fan-out/table.js';

const rules: FanOutRules = { window: 2, canary: 1, stopAfterFailures: 20 };

function childrenOf(...groups: [string, number][]): ChildToStart[] {
  return groups.flatMap(([group, many]) =>
    Array.from({ length: many }, (_, index) => ({ subject: `client:${group}${index}`, params: {}, group })),
  );
}

function tableWith(children: ChildToStart[], states: Record<string, ChildState>): Table {
  const table = newTable(children);
  for (const [subject, state] of Object.entries(states)) {
    table.set(subject, { state, operation: `op-${subject}`, heardAt: 0 });
  }
  return table;
}

const names = (starting: ChildToStart[]) => starting.map(({ subject }) => subject);

describe('the table of a fan-out', () => {
  const children = childrenOf(['a', 4], ['b', 3]);

  it('starts the canary alone, and the others once it is done', () => {
    assert.deepEqual(names(startable(children, newTable(children), rules)), ['client:a0']);
    assert.deepEqual(names(startable(children, tableWith(children, { 'client:a0': 'running' }), rules)), []);
    const proven = tableWith(children, { 'client:a0': 'done' });
    assert.deepEqual(names(startable(children, proven, rules)), [
      'client:a1',
      'client:a2',
      'client:b0',
      'client:b1',
    ]);
  });

  it('keeps to the window of each group, where a busy subject takes a place and a held child frees its own', () => {
    const table = tableWith(children, {
      'client:a0': 'done',
      'client:a1': 'running',
      'client:a2': 'busy',
      'client:b0': 'holding',
      'client:b1': 'running',
    });
    assert.deepEqual(names(startable(children, table, rules)), ['client:b2']);
  });

  it('is stopped by a failed or held canary', () => {
    for (const state of ['failed', 'holding'] as const) {
      const table = tableWith(children, { 'client:a0': state });
      assert.equal(isStopped(children, table, rules), true);
      assert.deepEqual(startable(children, table, rules), []);
    }
  });

  it('is stopped by failures beyond the threshold, held ones included, and never by a single one', () => {
    const many = childrenOf(['a', 20]);
    const failing = (count: number): Table =>
      tableWith(many, {
        'client:a0': 'done',
        ...Object.fromEntries(
          Array.from({ length: count }, (_, index) => [
            `client:a${index + 1}`,
            index % 2 ? 'failed' : 'holding',
          ]),
        ),
      });
    assert.equal(isStopped(many, failing(4), rules), false);
    assert.equal(isStopped(many, failing(5), rules), true);
    const few = childrenOf(['a', 3]);
    const one = tableWith(few, { 'client:a0': 'done', 'client:a1': 'failed' });
    assert.equal(isStopped(few, one, rules), false);
  });

  it('hears only the operation that it has started, and nothing after its end', () => {
    const table = tableWith(children, { 'client:a0': 'running' });
    const report = { subject: 'client:a0', operation: 'op-client:a0' };
    assert.equal(hear(table, { ...report, operation: 'other', state: 'succeeded' }, 1), false);
    assert.equal(hear(table, { ...report, subject: 'client:z', state: 'succeeded' }, 1), false);
    assert.equal(hear(table, { ...report, state: 'holding', hold: 2, reason: 'disk full' }, 1), true);
    assert.deepEqual(table.get('client:a0'), {
      state: 'holding',
      operation: 'op-client:a0',
      heardAt: 1,
      hold: 2,
      reason: 'disk full',
    });
    assert.equal(hear(table, { ...report, state: 'running' }, 2), true);
    assert.equal(hear(table, { ...report, state: 'succeeded_with_warnings' }, 3), true);
    assert.equal(table.get('client:a0')?.state, 'done');
    assert.equal(hear(table, { ...report, state: 'rolled_back' }, 4), false);
    assert.equal(table.get('client:a0')?.state, 'done');
  });

  it('tells what is not done, and sums up in one line', () => {
    const table = tableWith(children, { 'client:a0': 'done', 'client:a1': 'failed', 'client:b0': 'holding' });
    assert.equal(summarize(table), '1 of 7 done, 1 waiting for a person, 1 failed');
    const { total, done, failed, notStarted, open } = resultOf(table);
    assert.deepEqual({ total, done, failed, notStarted }, { total: 7, done: 1, failed: 1, notStarted: 5 });
    assert.equal(open.length, 6);
    assert.deepEqual(open[0], { subject: 'client:a1', operation: 'op-client:a1', state: 'failed' });
  });
});
