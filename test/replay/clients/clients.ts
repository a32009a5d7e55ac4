import { ADMIN_PASSWORD_SIGNAL } from '../../../workflows/contract/clients/clients.js';
import { client, failsFirst, type RecordedPath, retryOnce } from '../path.js';

export const CLIENT_PATHS: readonly RecordedPath[] = [
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
];
