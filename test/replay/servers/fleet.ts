import { failsFirst, type RecordedPath, retryOnce } from '../path.js';

export const FLEET_PATHS: readonly RecordedPath[] = [
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
];
