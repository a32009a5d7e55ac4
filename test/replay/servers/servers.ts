import { failsFirst, type RecordedPath, retryOnce } from '../path.js';

const build = (serverId: number) => ({ serverId, branch: 'dev', version: '1.4-dev', existing: 'refuse' });

export const SERVER_PATHS: readonly RecordedPath[] = [
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
