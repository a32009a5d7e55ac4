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
  /** subjects of its children, whose acts are injected into as well */
  children?: string[];
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

const build = (serverId: number) => ({ serverId, branch: 'dev', version: '1.4-dev', existing: 'refuse' });

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
    workflow: 'createClient',
    path: 'from-backup',
    subject: 'client:30',
    params: { ...client(30), restoreFrom: '/srv/backup/clients/client5-01JREPEAT00000000000000000' },
    ends: 'succeeded',
  },
  {
    workflow: 'switchClient',
    path: 'success',
    subject: 'client:31',
    params: { ...client(31), versionTag: '1.4-master', force: false, keepDays: 30 },
    ends: 'succeeded',
  },
  {
    workflow: 'switchClient',
    path: 'held-and-retried',
    subject: 'client:32',
    params: { ...client(32), versionTag: '1.4-master', force: false },
    inject: failsFirst('update', 'CommandFailed'),
    drive: retryOnce,
    ends: 'succeeded',
  },
  {
    workflow: 'switchClient',
    path: 'rolled-back',
    subject: 'client:33',
    params: { ...client(33), versionTag: '1.4-master', force: false },
    inject: failsFirst('start', 'Conflict'),
    ends: 'rolled_back',
  },
  {
    workflow: 'switchClient',
    path: 'cancelled',
    subject: 'client:34',
    params: { ...client(34), versionTag: '1.2-master', force: true },
    async inject(step, handle) {
      if (step.phase === 'do' && step.step === 'version') await handle.cancel();
    },
    ends: 'cancelled',
  },
  {
    workflow: 'switchClient',
    path: 'held-forward-only',
    subject: 'client:35',
    params: { ...client(35), versionTag: '1.4-master', force: false },
    inject: failsFirst('traffic-off-left', 'CommandFailed'),
    drive: retryOnce,
    ends: 'succeeded',
  },
  {
    workflow: 'migrateClient',
    path: 'success',
    subject: 'client:36',
    params: client(36),
    ends: 'succeeded',
  },
  {
    workflow: 'migrateClient',
    path: 'rolled-back',
    subject: 'client:37',
    params: client(37),
    inject: failsFirst('update', 'Conflict'),
    ends: 'rolled_back',
  },
  {
    workflow: 'moveClient',
    path: 'success',
    subject: 'client:70',
    params: move(70),
    ends: 'succeeded',
  },
  {
    workflow: 'moveClient',
    path: 'with-certificate',
    // the stand-ins know it by its number
    subject: 'client:175',
    params: move(175),
    ends: 'succeeded',
  },
  {
    workflow: 'moveClient',
    path: 'held-and-retried',
    subject: 'client:71',
    params: move(71),
    inject: failsFirst('compare', 'CommandFailed'),
    drive: retryOnce,
    ends: 'succeeded',
  },
  {
    workflow: 'moveClient',
    path: 'cancelled',
    subject: 'client:72',
    params: move(72),
    async inject(step, handle) {
      if (step.phase === 'do' && step.step === 'container') await handle.cancel();
    },
    ends: 'cancelled',
  },
  {
    workflow: 'moveClient',
    path: 'held-forward-only',
    subject: 'client:73',
    params: move(73),
    inject: failsFirst('live', 'CommandFailed'),
    drive: retryOnce,
    ends: 'succeeded',
  },
  {
    workflow: 'removeKeptSource',
    path: 'success',
    subject: 'client:74',
    params: { clientId: 74, serverId: 1 },
    ends: 'succeeded',
  },
  {
    workflow: 'copyClient',
    path: 'success',
    subject: 'client:75',
    params: copy(75),
    ends: 'succeeded',
  },
  {
    workflow: 'copyClient',
    path: 'rolled-back',
    subject: 'client:77',
    params: copy(77),
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
  { workflow: 'refreshClient', path: 'success', subject: 'client:40', params: client(40), ends: 'succeeded' },
  {
    workflow: 'refreshClient',
    path: 'never-held',
    subject: 'client:41',
    params: client(41),
    inject: failsFirst('restart', 'CommandFailed'),
    ends: 'rolled_back',
  },
  {
    workflow: 'updateClient',
    path: 'success',
    subject: 'client:42',
    params: { ...client(42), fields: ['allowedIps', 'email', 'license', 'subdomain'] },
    ends: 'succeeded',
  },
  {
    workflow: 'updateClient',
    path: 'rolled-back',
    subject: 'client:43',
    params: { ...client(43), fields: ['email', 'license', 'subdomain'] },
    inject: failsFirst('record', 'Conflict'),
    ends: 'rolled_back',
  },
  {
    workflow: 'updateClient',
    path: 'held-and-retried',
    subject: 'client:44',
    params: { ...client(44), fields: ['allowedIps'] },
    inject: failsFirst('vhost', 'CommandFailed'),
    drive: retryOnce,
    ends: 'succeeded',
  },
  {
    workflow: 'updateClient',
    path: 'cancelled',
    subject: 'client:45',
    params: { ...client(45), fields: ['name'] },
    async inject(step, handle) {
      if (step.phase === 'do' && step.step === 'restart') await handle.cancel();
    },
    ends: 'cancelled',
  },
  { workflow: 'setExpireDate', path: 'success', subject: 'client:46', params: client(46), ends: 'succeeded' },
  {
    workflow: 'setExpireDate',
    path: 'rolled-back',
    subject: 'client:47',
    params: client(47),
    inject: failsFirst('record', 'Conflict'),
    ends: 'rolled_back',
  },
  {
    workflow: 'setDemo',
    path: 'success',
    subject: 'client:48',
    params: { ...client(48), enabled: true },
    ends: 'succeeded',
  },
  {
    workflow: 'setDemo',
    path: 'rolled-back',
    subject: 'client:49',
    params: { ...client(49), enabled: true },
    inject: failsFirst('record', 'Conflict'),
    ends: 'rolled_back',
  },
  {
    workflow: 'setMaintenance',
    path: 'success',
    subject: 'client:50',
    params: { ...client(50), on: true },
    ends: 'succeeded',
  },
  {
    workflow: 'setMaintenance',
    path: 'rolled-back',
    subject: 'client:51',
    params: { ...client(51), on: true },
    inject: failsFirst('record', 'Conflict'),
    ends: 'rolled_back',
  },
  { workflow: 'rebootClient', path: 'success', subject: 'client:52', params: client(52), ends: 'succeeded' },
  {
    workflow: 'rebootClient',
    path: 'held-and-retried',
    subject: 'client:53',
    params: client(53),
    inject: failsFirst('restart', 'CommandFailed'),
    drive: retryOnce,
    ends: 'succeeded',
  },
  {
    workflow: 'mailClient',
    path: 'success',
    subject: 'client:54',
    params: { ...client(54), template: 'send_expire' },
    ends: 'succeeded',
  },
  {
    workflow: 'createClient',
    path: 'with-certificate',
    subject: 'client:25',
    params: client(25),
    ends: 'succeeded',
  },
  {
    workflow: 'createClient',
    path: 'without-its-certificate',
    subject: 'client:26',
    params: client(26),
    inject: failsFirst('certificate', 'CommandFailed'),
    ends: 'succeeded_with_warnings',
  },
  {
    workflow: 'deleteClient',
    path: 'with-certificate',
    subject: 'client:27',
    params: { clientId: 27, serverId: 1, keepBackup: false, keepDays: 0 },
    ends: 'succeeded',
  },
  {
    workflow: 'issueCertificate',
    path: 'success',
    subject: 'client:28',
    params: client(28),
    ends: 'succeeded',
  },
  {
    workflow: 'issueCertificate',
    path: 'held-and-retried',
    subject: 'client:29',
    params: client(29),
    inject: failsFirst('certificate', 'CommandFailed'),
    drive: retryOnce,
    ends: 'succeeded',
  },
  {
    workflow: 'lockClient',
    path: 'success',
    subject: 'client:60',
    params: client(60),
    ends: 'succeeded',
  },
  {
    workflow: 'lockClient',
    path: 'rolled-back',
    subject: 'client:61',
    params: client(61),
    inject: failsFirst('settings', 'Conflict'),
    ends: 'rolled_back',
  },
  {
    workflow: 'unlockClient',
    path: 'success',
    subject: 'client:62',
    params: client(62),
    ends: 'succeeded',
  },
  {
    workflow: 'notifyExpiry',
    path: 'success',
    subject: 'client:63',
    params: { clientId: 63, licenseEnd: '2031-01-31T12:00:00.000Z', days: 7 },
    ends: 'succeeded',
  },
  {
    workflow: 'notifyExpiry',
    path: 'cancelled',
    subject: 'client:64',
    params: { clientId: 64, licenseEnd: '2031-01-31T12:00:00.000Z', days: 0 },
    async inject(step, handle) {
      if (step.step === 'mail') await handle.cancel();
    },
    ends: 'cancelled',
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
  {
    workflow: 'switchAll',
    path: 'success',
    subject: 'server:31',
    params: { serverId: 31, versionTag: '1.4-master', force: false },
    ends: 'succeeded',
  },
  {
    workflow: 'switchAll',
    path: 'rolled-back',
    subject: 'server:32',
    params: { serverId: 32, versionTag: '9.9-master', force: false },
    inject: failsFirst('image', 'Conflict'),
    ends: 'rolled_back',
  },
  {
    workflow: 'migrateAll',
    path: 'held-and-retried',
    subject: 'server:33',
    params: { serverId: 33, rules: { window: 2, canary: 0, stopAfterFailures: 20 } },
    children: ['client:3301'],
    inject: failsFirst('check-image', 'CommandFailed'),
    drive: retryOnce,
    ends: 'succeeded',
  },
  {
    workflow: 'deployServer',
    path: 'success',
    subject: 'server:34',
    params: { serverId: 34 },
    ends: 'succeeded',
  },
  {
    workflow: 'reconfigurateServer',
    path: 'held-and-retried',
    subject: 'server:35',
    params: { serverId: 35 },
    inject: failsFirst('pull', 'CommandFailed'),
    drive: retryOnce,
    ends: 'succeeded',
  },
  {
    workflow: 'reconfigurate',
    path: 'success',
    subject: 'fleet:reconfigurate',
    params: {},
    ends: 'succeeded',
  },
  { ...fannedOut('continued-as-new', many), firstRun: true, ends: 'succeeded' },
  { ...fannedOut('after-continuing', many), ends: 'succeeded' },
  { workflow: 'buildImage', path: 'success', subject: 'server:41', params: build(41), ends: 'succeeded' },
  {
    workflow: 'buildImage',
    path: 'held-and-retried',
    subject: 'server:42',
    params: build(42),
    inject: failsFirst('image', 'CommandFailed'),
    drive: retryOnce,
    ends: 'succeeded',
  },
  {
    workflow: 'buildImage',
    path: 'rolled-back',
    subject: 'server:43',
    params: build(43),
    inject: failsFirst('www', 'Conflict'),
    ends: 'rolled_back',
  },
  {
    workflow: 'buildImage',
    path: 'cancelled',
    subject: 'server:44',
    params: build(44),
    async inject(step, handle) {
      if (step.phase === 'do' && step.step === 'docker') await handle.cancel();
    },
    ends: 'cancelled',
  },
  {
    workflow: 'buildImage',
    path: 'kept-and-told',
    subject: 'server:45',
    params: { ...build(45), existing: 'keep', release: '01JREPEATRELEASE0000000000' },
    inject: failsFirst('clients', 'CommandFailed'),
    drive: retryOnce,
    ends: 'succeeded',
  },
  {
    workflow: 'buildMasterForAll',
    path: 'success',
    subject: 'fleet:build_master_for_all',
    params: { version: '1.9-master', info: '# New', force: false },
    ends: 'succeeded',
  },
  {
    workflow: 'pruneServer',
    path: 'success',
    subject: 'server:46',
    params: { serverId: 46 },
    ends: 'succeeded',
  },
  {
    workflow: 'pruneServer',
    path: 'held-forward-only',
    subject: 'server:47',
    params: { serverId: 47 },
    inject: failsFirst('prune', 'CommandFailed'),
    drive: retryOnce,
    ends: 'succeeded',
  },
  {
    workflow: 'rebootServer',
    path: 'success',
    subject: 'server:48',
    params: { serverId: 48 },
    ends: 'succeeded_with_warnings',
  },
  {
    workflow: 'rebootServer',
    path: 'held-forward-only',
    subject: 'server:49',
    params: { serverId: 49 },
    inject: failsFirst('reboot', 'CommandFailed'),
    drive: retryOnce,
    ends: 'succeeded_with_warnings',
  },
];

export function historyName({ workflow, path }: RecordedPath): string {
  return `${workflow}.${path}`;
}
