import { failure } from '../../../workflows/contract/operation/failures.js';
import { client, failsFirst, type RecordedPath, retryOnce } from '../path.js';

/** One scripted operation for each key; the subjects of a fan-out are of no other path. */
function fannedOut(name: string, keys: string[]) {
  const children = keys.map((key, index) => {
    const subject = `client:${name}-${index}`;
    return { subject, params: { subject, steps: [{ key }] } };
  });
  return {
    workflow: 'fannedOut',
    path: name,
    subject: `fleet:${name}`,
    params: { subject: `fleet:${name}`, children, rules: { window: 2, canary: 1, stopAfterFailures: 20 } },
  };
}

const many = Array.from({ length: 60 }, () => 'one');

export const CORE_PATHS: readonly RecordedPath[] = [
  {
    workflow: 'scripted',
    path: 'during',
    subject: 'client:8',
    params: {
      subject: 'client:8',
      steps: [
        { key: 'before' },
        { key: 'traffic-off', during: [{ key: 'copy' }, { key: 'switch' }] },
        { key: 'after' },
      ],
    },
    inject: failsFirst('switch', 'CommandFailed'),
    drive: retryOnce,
    ends: 'succeeded',
  },
  {
    workflow: 'scripted',
    path: 'edited',
    subject: 'client:9',
    params: {
      subject: 'client:9',
      value: 'old',
      steps: [{ key: 'base' }, { key: 'one' }, { key: 'two', editable: { fields: ['value'], from: 'one' } }],
    },
    inject: failsFirst('two', 'CommandFailed'),
    async drive({ handle, held }) {
      await held(1);
      await handle.signal('retry', { id: 'd1', actor: 'ops', input: { value: 'new' } });
    },
    ends: 'succeeded',
  },
  {
    workflow: 'lend',
    path: 'borrower-gone',
    subject: 'client:20',
    params: {
      subject: 'client:20',
      borrower: { workflowId: 'client:19', operation: '01JREPEATBORROWER000000000' },
    },
    async drive({ handle }) {
      await handle.cancel();
    },
    ends: 'succeeded',
  },
  {
    workflow: 'scripted',
    path: 'borrowing-and-admitted',
    subject: 'client:21',
    params: {
      subject: 'client:21',
      borrows: ['client:22'],
      admission: { places: ['server:3', 'server:2'], exclusive: true },
      steps: [{ key: 'one' }, { key: 'two' }],
    },
    inject: failsFirst('two', 'CommandFailed'),
    drive: retryOnce,
    ends: 'succeeded',
  },
  {
    workflow: 'cleanup',
    path: 'success',
    subject: 'client:23',
    params: { subject: 'client:23', ...client(23) },
    ends: 'succeeded',
  },
  {
    workflow: 'cleanup',
    path: 'incomplete',
    subject: 'client:24',
    params: { subject: 'client:24', ...client(24) },
    inject(step) {
      if (step.phase === 'undo' && step.step === 'files') throw failure('Unauthorized', 'refused');
    },
    ends: 'rollback_incomplete',
  },
  { ...fannedOut('success', ['one', 'one', 'one']), ends: 'succeeded' },
  {
    ...fannedOut('held-and-retried', ['one', 'fails-first', 'one', 'one']),
    drive: retryOnce,
    ends: 'succeeded',
  },
  {
    ...fannedOut('rolled-back', ['fails-first', 'one']),
    async drive({ handle, held }) {
      await held(1);
      await handle.signal('rollback', { id: 'd1', note: 'not today', actor: 'ops', hold: 1 });
    },
    ends: 'rolled_back',
  },
  {
    ...fannedOut('cancelled', ['one', 'fails-first']),
    async drive({ handle, held }) {
      await held(1);
      await handle.cancel();
    },
    ends: 'cancelled',
  },
  { ...fannedOut('continued-as-new', many), firstRun: true, ends: 'succeeded' },
  { ...fannedOut('after-continuing', many), ends: 'succeeded' },
];
