import { client, failsFirst, type RecordedPath, retryOnce } from '../path.js';

const move = (clientId: number) => ({ ...client(clientId), targetServerId: 2, keepDays: 7 });

const copy = (clientId: number) => ({
  ...client(clientId),
  sourceId: clientId + 1,
  sourceServerId: 2,
  keepDays: 30,
});

export const MOVE_PATHS: readonly RecordedPath[] = [
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
];
