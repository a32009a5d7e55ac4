import type { CleanupActivities } from '../../activities/records/cleanup.js';
import type { createActivities } from '../../worker/activities.js';
import type { CleanupPlan } from '../../workflows/contract/cleanup.js';
import type { ClientNames } from '../../workflows/contract/clients.js';

/** What acts of workflows name, with the real names and result shapes; a stand-in that drifts does not compile. */
type StandIns = ReturnType<typeof createActivities>;

/** Activities that do nothing and answer at once, as those of a healthy host would. */
export function createStandIns(): StandIns {
  const nothing = (): Promise<void> => Promise.resolve();
  return {
    reserveClient: ({ clientId }) =>
      Promise.resolve({
        names: namesOf(clientId),
        passwordGiven: true,
        adminPassword: '01ARZ3NDEKTSV4RRFFQ69G5FAV',
      }),
    releaseClient: nothing,
    foreseeClient: ({ clientId }) =>
      Promise.resolve({ names: namesOf(clientId), passwordGiven: true, adminPassword: '' }),
    foreseeAdminPassword: () => Promise.resolve({ first: true }),
    recordAdminPassword: () => Promise.resolve({ first: true }),
    activateClient: nothing,
    findClientThing: ({ clientId }) => Promise.resolve(thingOf(clientId)),
    requireClientThing: ({ clientId }) => Promise.resolve(thingOf(clientId)),
    markClientDeleting: nothing,
    recordBackup: nothing,
    forgetClient: nothing,
    findCopy: ({ clientId, sourceId }) =>
      Promise.resolve({
        source: thingOf(sourceId),
        target: thingOf(clientId),
        next: thingOf(clientId),
        versionTag: '1.3-master',
        sharesKey: true,
      }),
    adoptApplicationKey: nothing,
    writeCopiedFiles: nothing,
    sanitizeCopy: nothing,
    createOwnBaseData: nothing,
    reserveTarget: ({ clientId, serverId }) => Promise.resolve(preparedOn(clientId, serverId)),
    foreseeTarget: ({ clientId, serverId }) => Promise.resolve(preparedOn(clientId, serverId)),
    releaseTarget: nothing,
    switchToTarget: nothing,
    findKeptSource: ({ clientId }) => Promise.resolve(thingOf(clientId)),
    forgetKeptSource: nothing,
    ensureImage: nothing,
    writeMovedFiles: nothing,
    sumSource: nothing,
    moveDump: () => Promise.resolve({ path: '/srv/slipway/moves/1/moved-1' }),
    compareWithSource: nothing,
    checkFromInside: nothing,
    clearMove: nothing,
    removeJobsOn: nothing,
    writeMaintenance: nothing,
    surveyDatabase: nothing,
    ensureDatabase: nothing,
    removeDatabase: nothing,
    dropDatabase: nothing,
    writeCloudSettings: nothing,
    surveyHost: nothing,
    writeClientFiles: nothing,
    removeClientFiles: nothing,
    startContainers: nothing,
    removeContainers: nothing,
    stopContainers: nothing,
    startStopped: nothing,
    restoreClient: nothing,
    requireImage: nothing,
    switchImage: nothing,
    startAnew: nothing,
    checkRestorable: nothing,
    recordVersion: nothing,
    recordClientVersion: nothing,
    foreseeVersion: ({ clientId, versionTag = '1.3-master', force }) => {
      const thing = thingOf(clientId);
      const image = `registry.example.test/product:${versionTag}`;
      const next = { ...thing, names: { ...thing.names, image } };
      return Promise.resolve({ current: thing, next, versionTag, migrates: force !== true });
    },
    backupClient: ({ names }) =>
      Promise.resolve({ path: `/srv/backup/clients/${names.name}`, sizeBytes: 4_096 }),
    migrateClient: nothing,
    createBaseData: nothing,
    setAdminPassword: nothing,
    countUsers: () => Promise.resolve(3),
    publishVhost: nothing,
    removeVhost: nothing,
    checkFromOutside: () => Promise.resolve({ warning: null }),
    sendClientMail: () => Promise.resolve({ state: 'sent', withPassword: true }),
    removeJobs: nothing,
    endJobs: nothing,
    removeOldJobs: nothing,
    probeServer: () => Promise.resolve({ readAt: '2031-01-31T12:00:00.000Z', images: [] }),
  };
}

/** A ledger in which two undos are open; on `client:24` one of them stays so. */
export function createLedgerStandIn(): CleanupActivities {
  return {
    listLeft: ({ subject }) => Promise.resolve(leftOn(Number(subject.split(':')[1]))),
    countLeft: ({ subject }) => Promise.resolve({ open: subject === 'client:24' ? 1 : 0 }),
    settleUndo: () => Promise.resolve(),
  };
}

/** The operation that made every recorded client. */
const CREATOR = '01JREPEAT00000000000000000';

function thingOf(clientId: number): { names: ClientNames; operation: string } {
  return { names: namesOf(clientId), operation: CREATOR };
}

function preparedOn(clientId: number, serverId: number) {
  const { names } = thingOf(clientId);
  return { target: { names: { ...names, serverId }, operation: CREATOR }, underMaintenance: false };
}

/** What a clean-up finds of the client's create. */
function leftOn(clientId: number): CleanupPlan {
  const common = { of: CREATOR, input: thingOf(clientId) };
  return {
    undos: [
      { ...common, id: 'files#4', key: 'files', title: 'Write configuration', activity: 'removeClientFiles' },
      { ...common, id: 'reserve#1', key: 'reserve', title: 'Take a port', activity: 'releaseClient' },
    ],
    jobs: [{ key: 'end-jobs', clientId, operation: CREATOR }],
  };
}

function namesOf(clientId: number): ClientNames {
  const name = `client${clientId}`;
  return {
    clientId,
    serverId: 1,
    name,
    directory: `/srv/docker/clients/${name}`,
    vhostFile: `/etc/nginx/conf.d/${name}.conf`,
    hostname: `${name}.example.test`,
    subnet: '10.213.0.16/28',
    port: 20_001,
    image: 'registry.example.test/product:1.3-master',
    product: 'sample',
    secrets: {
      databasePassword: '01JREPEATSECRET00000000001',
      clientToken: '01JREPEATSECRET00000000002',
      applicationKey: '01JREPEATSECRET00000000003',
    },
  };
}
