import { client, failsFirst, type RecordedPath } from '../path.js';

export const CLOCK_PATHS: readonly RecordedPath[] = [
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
];
