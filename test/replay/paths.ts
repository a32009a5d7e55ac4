import type { WorkflowHandle } from '@temporalio/client';
import { ADMIN_PASSWORD_SIGNAL } from '../../workflows/contract/clients.js';
import { failure } from '../../workflows/contract/failures.js';
import type { OperationView } from '../../workflows/contract/operation.js';
import type { StepContext } from '../../workflows/contract/step.js';

export interface RecordedRun {
  handle: WorkflowHandle;
  /** waits until the operation holds for the `number`th time */
  held(number: number): Promise<OperationView>;
}

/** One history: how the workflow is started, what happens to it, and how it must end. */
export interface RecordedPath {
  workflow: string;
  path: string;
  subject: string;
  params: unknown;
  /** before (`do:key`) an act's effect, by number of the step's try */
  inject?(step: StepContext, handle: WorkflowHandle): Promise<void> | void;
  drive?(run: RecordedRun): Promise<void>;
  /** of a chain: the run that was continued as new, not the last one */
  firstRun?: true;
  ends: string;
}

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

const many = Array.from({ length: 30 }, () => 'one');

const client = (clientId: number) => ({ clientId, serverId: 1 });

const move = (clientId: number) => ({ ...client(clientId), targetServerId: 2, keepDays: 7 });

const copy = (clientId: number) => ({
  ...client(clientId),
  sourceId: clientId + 1,
  sourceServerId: 2,
  keepDays: 30,
});

/** A failure of the step's first try; an operator's retry then succeeds. */
function failsFirst(key: string, kind: 'CommandFailed' | 'Conflict') {
  return (step: StepContext): void => {
    if (step.phase !== 'do' || step.step !== key || step.try > 1) return;
    throw failure(kind, `${step.title}: refused`, { hint: 'mend it' });
  };
}

async function retryOnce({ handle, held }: RecordedRun): Promise<void> {
  await held(1);
  await handle.signal('retry', { id: 'd1', note: 'mended', actor: 'ops', hold: 1 });
}

/** Every path that is replayed; ids of clients differ so that the subjects do. */
export const PATHS: readonly RecordedPath[] = [
  {
    workflow: 'createClient',
    path: 'success',
    subject: 'client:1',
    params: client(1),
    async inject(step, handle) {
      if (step.step !== 'migrate') return;
      await handle.signal(ADMIN_PASSWORD_SIGNAL, { password: '01JREPEATSECRET00000000004' });
    },
    ends: 'succeeded',
  },
  {
    workflow: 'createClient',
    path: 'rolled-back',
    subject: 'client:2',
    params: client(2),
    inject: failsFirst('container', 'Conflict'),
    ends: 'rolled_back',
  },
  {
    workflow: 'createClient',
    path: 'held-and-retried',
    subject: 'client:3',
    params: client(3),
    inject: failsFirst('migrate', 'CommandFailed'),
    drive: retryOnce,
    ends: 'succeeded',
  },
  {
    workflow: 'createClient',
    path: 'cancelled',
    subject: 'client:4',
    params: client(4),
    async inject(step, handle) {
      if (step.phase === 'do' && step.step === 'base-data') await handle.cancel();
    },
    ends: 'cancelled',
  },
  {
    workflow: 'deleteClient',
    path: 'success',
    subject: 'client:5',
    params: { clientId: 5, serverId: 1, keepBackup: true, keepDays: 30 },
    ends: 'succeeded',
  },
  {
    workflow: 'deleteClient',
    path: 'held-forward-only',
    subject: 'client:6',
    params: { clientId: 6, serverId: 1, keepBackup: false, keepDays: 0 },
    inject: failsFirst('containers', 'CommandFailed'),
    async drive(run) {
      await run.held(1);
      await run.handle.signal('rollback', { id: 'd0', actor: 'ops' });
      await retryOnce(run);
    },
    ends: 'succeeded',
  },
  {
    workflow: 'setAdminPassword',
    path: 'success',
    subject: 'client:7',
    params: { clientId: 7, serverId: 1, password: '01JREPEATSECRET00000000004' },
    ends: 'succeeded',
  },
  {
    workflow: 'moveClient',
    path: 'success',
    subject: 'client:30',
    params: move(30),
    ends: 'succeeded',
  },
  {
    workflow: 'moveClient',
    path: 'held-and-retried',
    subject: 'client:31',
    params: move(31),
    inject: failsFirst('compare', 'CommandFailed'),
    drive: retryOnce,
    ends: 'succeeded',
  },
  {
    workflow: 'moveClient',
    path: 'cancelled',
    subject: 'client:32',
    params: move(32),
    async inject(step, handle) {
      if (step.phase === 'do' && step.step === 'container') await handle.cancel();
    },
    ends: 'cancelled',
  },
  {
    workflow: 'moveClient',
    path: 'held-forward-only',
    subject: 'client:33',
    params: move(33),
    inject: failsFirst('live', 'CommandFailed'),
    drive: retryOnce,
    ends: 'succeeded',
  },
  {
    workflow: 'removeKeptSource',
    path: 'success',
    subject: 'client:34',
    params: { clientId: 34, serverId: 1 },
    ends: 'succeeded',
  },
  {
    workflow: 'copyClient',
    path: 'success',
    subject: 'client:35',
    params: copy(35),
    ends: 'succeeded',
  },
  {
    workflow: 'copyClient',
    path: 'rolled-back',
    subject: 'client:37',
    params: copy(37),
    inject: failsFirst('administrator', 'Conflict'),
    ends: 'rolled_back',
  },
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
      admission: { servers: [3, 2], exclusive: true },
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

export function historyName({ workflow, path }: RecordedPath): string {
  return `${workflow}.${path}`;
}
