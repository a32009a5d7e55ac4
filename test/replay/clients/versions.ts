import { client, failsFirst, type RecordedPath, retryOnce } from '../path.js';

export const VERSION_PATHS: readonly RecordedPath[] = [
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
];
